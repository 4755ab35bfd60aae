"""freshtune itself, gate and all: a workspace of its own, events in, ``train`` and ``update``."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from freshtune import cycle
from freshtune.cycle.champion import bundle_of, live
from freshtune.errors import NotFound
from freshtune.intake.checks import EventChecks
from freshtune.intake.ingest import ingest_records
from freshtune.intake.mapping import ColumnMapping
from freshtune.model.predictor import Predictor
from freshtune.model.trunk_cache import TrunkCache
from freshtune.records import Example, Json, Release
from freshtune.settings import read_settings
from freshtune.ship.bundle import SERVED, TOP
from freshtune.ship.changes import top_weights
from freshtune.ship.deflation import deflated_bytes
from freshtune.workspace import create_workspace

if TYPE_CHECKING:
    from freshtune.rivals import Setting

SALT = b"a recorded stream is played: no secret"
"""Fixed, so that each play masks, splits and learns alike."""
_CACHE_BYTES = 4_000_000_000


class FreshtuneLoop:
    """The product as a shop runs it: what the gate refuses does not answer."""

    def __init__(self, setting: "Setting") -> None:
        self._setting, self._task = setting, setting.task
        self._shop = create_workspace(setting.folder / "shop", [f"[tasks.{setting.task.name}]", ""], SALT)
        flags = [
            f'model.backbone="{setting.backbone}"',
            f"model.max_tokens={setting.max_tokens}",
            f"model.threads={setting.threads}",
            f"intake.held_out={setting.held_out}",
            f"learn.first.seed={setting.seed}",
            f"learn.fit.seed={setting.seed}",
            *setting.recipe,
        ]
        self._settings = read_settings(self._shop.root, flags, {})
        tasks = {setting.task.name: setting.task}
        self._checks = EventChecks(tasks, self._shop.masker, self._settings.intake.limits)
        self._cache = TrunkCache(setting.folder / "read", _CACHE_BYTES)
        self._unlabelled: set[str] = set()

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:
        self._ingest((*history, *judges))
        release = cycle.train(self._shop, self._task, self._settings)
        if not release.verdict.promote:
            self._shop.registry.promote(release.id, None, "replay", "the stream goes on from it", force=True)

    def arrive(self, texts: tuple[Example, ...]) -> None:
        self._ingest(texts)
        self._unlabelled |= {row.id for row in texts}

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:
        """What waits for more labels is learned with the next increment; a refresh that is due follows at once."""
        rows = (*new, *judges)
        self._label([row for row in rows if row.id in self._unlabelled])
        self._ingest([row for row in rows if row.id not in self._unlabelled])
        try:
            cycle.update(self._shop, self._task, self._settings)
        except NotFound as waits:
            sys.stderr.write(f"{waits}\n")
        if why := cycle.reason_to_refresh(self._shop, self._task, self._settings):
            verdict = cycle.refresh(self._shop, self._task, self._settings).verdict
            sys.stderr.write(f"{why} Refreshed: {'promoted' if verdict.promote else ' '.join(verdict.reasons)}\n")

    @property
    def predictor(self) -> Predictor:
        release = self._live()
        return bundle_of(self._shop, release, self._settings.model, self._cache).predictor()

    @property
    def trained_parameters(self) -> int:
        return sum(int(weight.size) for weight in top_weights(self._shop.registry, self._live().id).values())

    @property
    def update_bytes(self) -> int:
        """Of what goes to one who serves the live release's parent and is to serve it; of a first one, its top."""
        release = self._live()
        parent = self._shop.registry.files(release.parent) if release.parent else release.artefacts
        known = {digest for name, digest in parent.items() if release.parent or name != TOP}
        fresh = {digest for name, digest in release.artefacts.items() if name in SERVED} - known
        return sum(deflated_bytes(self._shop.registry.artefacts.path(digest)) for digest in fresh)

    def _live(self) -> Release:
        return live(self._shop, self._task)

    def _ingest(self, examples: Sequence[Example]) -> None:
        records: list[dict[str, Json]] = []
        for row in examples:
            record: dict[str, Json] = {"id": row.id, "text": row.text, "label": _sent(row), "category": row.category}
            records.append(record if row.pair is None else record | {"pair": row.pair})
        pair = "pair" if examples and examples[0].pair is not None else None
        mapping = ColumnMapping(
            task=self._task.name, id="id", item="id", text="text", pair=pair, label="label", category="category"
        )
        ingest_records(records, mapping, self._shop.events, self._checks)

    def _label(self, examples: Sequence[Example]) -> None:
        """The labels alone, of texts that were ingested before."""
        records: list[dict[str, Json]] = [{"example": row.id, "label": _sent(row)} for row in examples]
        mapping = ColumnMapping(task=self._task.name, kind="label", example="example", label="label")
        ingest_records(records, mapping, self._shop.events, self._checks)


def _sent(row: Example) -> Json:
    return list(row.label) if isinstance(row.label, tuple) else row.label
