"""One folder that holds everything a shop keeps. Opens the stores; imports nothing that trains.

========================  ==============================================
``freshtune.toml``        the settings
``events.db``             the event log
``deltas.db``             what is known of each example; made of the log
``registry.db``           the releases and which of them is live
``artefacts/``            their files by digest
``cache/``                outputs of the trunk; may be deleted
``runs/``                 checkpoints of interrupted runs
``tuning/``               studies of ``freshtune tune``; may be deleted
``tuned.toml``            the recipes that they found better
``keys.db``, ``salt``     who may call; the secret of the masking
========================  ==============================================
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

from freshtune.errors import ConfigurationError, IntegrityError, UsageError
from freshtune.intake.delta_index import DeltaIndex
from freshtune.intake.event_log import EventLog, SqliteEventLog
from freshtune.intake.masking import Masker
from freshtune.ship.artefacts import FolderStore
from freshtune.ship.registry import Registry

SCHEMA_VERSION = 2
_MARK, _SETTINGS = "workspace.json", "freshtune.toml"


@dataclass(frozen=True)
class Workspace:
    """The stores of one folder, each opened when it is first asked for.

    Attributes:
        root: the folder, made by :func:`create_workspace`.
    """

    root: Path

    @cached_property
    def events(self) -> EventLog:
        return SqliteEventLog(self.root / "events.db")

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.root / "registry.db", FolderStore(self.root / "artefacts"))

    @cached_property
    def masker(self) -> Masker:
        """The masking of this workspace; its salt never leaves the folder."""
        try:
            return Masker((self.root / "salt").read_bytes())
        except (OSError, ValueError) as error:
            raise IntegrityError(
                f"The salt of {self.root} cannot be read.",
                str(error),
                "Restore the file from a backup: without it the same person gets another token.",
            ) from None

    def delta_index(self, dry: bool = False) -> DeltaIndex:
        """What is known of each example; ``dry`` writes nothing."""
        return DeltaIndex(self.root / "deltas.db", dry)

    @property
    def keys_path(self) -> Path:
        return self.root / "keys.db"

    def run_folder(self, name: str) -> Path:
        """Where a task's run keeps its checkpoint."""
        return self.root / "runs" / name

    def tuning_folder(self, name: str) -> Path:
        """Where a task's studies are."""
        return self.root / "tuning" / name

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def checkouts(self) -> Path:
        """Releases laid out under their files' names; made again at will."""
        return self.root / "cache" / "releases"


def open_workspace(root: Path) -> Workspace:
    """Open a workspace folder.

    Raises:
        ConfigurationError: it is none.
        IntegrityError: it was made by a newer freshtune, or by one so old that its releases cannot be gone on from.
    """
    try:
        version = int(orjson.loads((root / _MARK).read_bytes())["schema_version"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"{root} is no workspace.",
            f"It holds no readable {_MARK}.",
            f"Make one: freshtune init {root} --task sentiment",
        ) from None
    if version > SCHEMA_VERSION:
        raise IntegrityError(
            f"{root} was made by a newer freshtune.",
            f"Its schema is {version}, this one knows {SCHEMA_VERSION}.",
            "Install the newer version.",
        )
    if version < SCHEMA_VERSION:
        raise IntegrityError(
            f"{root} was made by an older freshtune.",
            "What its releases remember is kept in another form now.",
            f"Begin anew from its data: freshtune init in another folder, copy its {_SETTINGS}, ingest and train.",
        )
    return Workspace(root)


def create_workspace(root: Path, tables: Sequence[str], salt: bytes | None = None) -> Workspace:
    """Make a folder a workspace, with the given TOML tables as its settings.

    Args:
        salt: of the masking; a random one unless the texts are public and the run has to come out the same again.

    Raises:
        UsageError: it is one already, or holds other files.
    """
    if root.exists() and any(root.iterdir()):
        raise UsageError(f"{root} is not empty.", "A workspace begins in a folder of its own.", "Name another folder.")
    (root / "runs").mkdir(parents=True)
    descriptor = os.open(root / "salt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(salt or secrets.token_bytes(32))
    (root / _SETTINGS).write_text("\n".join(tables), "utf-8")
    (root / _MARK).write_bytes(orjson.dumps({"schema_version": SCHEMA_VERSION}))
    return Workspace(root)
