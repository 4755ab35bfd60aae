"""What the registry takes in and gives out, and how it is written in rows and in the manifest."""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from freshtune.errors import UsageError
from freshtune.records import LogRange, Scorecard, Verdict

MANIFEST, SCORECARDS, VERDICT = "manifest.json", "scorecards.json", "verdict.json"
"""Files that the registry itself writes beside the model's."""

DATA_SUFFIXES = (".json", ".jsonl", ".md", ".onnx", ".safetensors", ".txt")
"""A release is data, never code: no other kind of file enters it."""

FileOutcome = Literal["recorded", "undecided", "refused", "promoted", "rolled_back"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ReleaseDraft:
    """A release before it has an id; the fields are those of ``records.Release``."""

    task: str
    parent: str | None
    trunk: str
    vector_space: str
    range: LogRange
    recipe: str
    scorecards: Mapping[str, Scorecard]
    verdict: Verdict
    created: datetime = field(default_factory=_now)


class ReleaseSummary(NamedTuple):
    """One line of the list: what is known without opening an artefact.

    Attributes:
        outcome: recorded (good, not promoted yet), undecided (its range waits for more evidence), refused, promoted
            (live now or once), rolled_back.
        live: whether it answers now.
        pruned: its model files are gone; only its story is kept.
        forced_by, forced_why: who overruled the gate to promote it; None where nobody did.
        rolled_back_by, rolled_back_why: who went back from it, the last time; None unless it stands rolled back.
        facts: JSON, read when one of the properties is asked for: lists of thousands stay quick.
    """

    id: str
    task: str
    parent: str | None
    trunk: str
    range: LogRange
    created: datetime
    outcome: FileOutcome
    live: bool
    pruned: bool
    forced_by: str | None
    forced_why: str | None
    rolled_back_by: str | None
    rolled_back_why: str | None
    facts: str

    @property
    def size(self) -> int:
        """Bytes of all its files, shared ones included."""
        return int(orjson.loads(self.facts)["size"])

    @property
    def scores(self) -> Mapping[str, Mapping[str, float]]:
        """Held-out set → metric → value; what could not be measured is left out."""
        scores: Mapping[str, Mapping[str, float]] = orjson.loads(self.facts)["scores"]
        return scores

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the gate refused it, in words."""
        return tuple(orjson.loads(self.facts)["reasons"])


@dataclass(frozen=True, slots=True)
class Promotion:
    """One change of a task's live release."""

    task: str
    action: Literal["promote", "rollback"]
    release: str
    replaced: str | None
    time: datetime
    by: str
    why: str
    forced: bool


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release as its rows tell it, before scorecards and verdict are read."""

    id: str
    task: str
    parent: str | None
    trunk: str
    vector_space: str
    range: LogRange
    recipe: str
    created: datetime
    forced_by: str | None
    forced_why: str | None
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a release as the store has it, and what to put back should it go."""

    name: str
    digest: str
    size: int
    content: Path | bytes


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """A release whose bytes are stored and whose row is not written yet."""

    id: str
    created: str
    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def checked_names(task: str, names: Iterable[str]) -> None:
    """Refuse names that are paths, that the registry writes itself, or that could hold code.

    Raises:
        UsageError: on the first such name.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", task):
        raise UsageError(f"{task!r:.80} cannot be the name of a task", mend="Letters, digits, - and _.")
    for name in names:
        if name in (MANIFEST, SCORECARDS, VERDICT):
            raise UsageError(f"{name} is written by the registry", mend="Leave it out.")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) or not name.endswith(DATA_SUFFIXES):
            raise UsageError(
                f"{name!r:.120} cannot be part of a release", f"Allowed: {', '.join(DATA_SUFFIXES)}; no folder."
            )


def release_id(draft: ReleaseDraft, artefacts: Mapping[str, str]) -> str:
    """``<task>-<12 hex digits>`` of its artefacts, parent and log range: the same content has the same id.

    >>> draft = ReleaseDraft("rating", None, "", "", LogRange(0, 9), "", {}, Verdict(True, ()))
    >>> release_id(draft, {"top.onnx": "ab"}) == release_id(draft, {"top.onnx": "ab"})
    True
    """
    content = [sorted(artefacts.items()), draft.parent, draft.range.since, draft.range.upto]
    return f"{draft.task}-{hashlib.sha256(orjson.dumps(content)).hexdigest()[:12]}"


def manifest(identity: str, draft: ReleaseDraft, created: str, artefacts: Mapping[str, str]) -> bytes:
    """The manifest's bytes: everything that names the release, and the digest of each of its other files."""
    content = {
        "format": 1,
        "id": identity,
        "task": draft.task,
        "parent": draft.parent,
        "trunk": draft.trunk,
        "vector_space": draft.vector_space,
        "range": [draft.range.since, draft.range.upto],
        "recipe": draft.recipe,
        "created": created,
        "artefacts": dict(artefacts),
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def facts_of(draft: ReleaseDraft, size: int) -> str:
    """The small facts that a list shows, as the row keeps them."""
    content = {
        "size": size,
        "scores": {
            name: {key: estimate.value for key, estimate in card.metrics.items() if math.isfinite(estimate.value)}
            for name, card in draft.scorecards.items()
        },
        "reasons": draft.verdict.reasons,
    }
    return orjson.dumps(content).decode()


SUMMARY_COLUMNS = """
    r.id, r.task, r.parent, r.trunk, r.since, r.upto, r.created,
    CASE WHEN r.outcome = 'recorded' AND NOT r.promote THEN 'undecided' ELSE r.outcome END,
    r.id IS l.release, r.pruned, r.forced_by, r.forced_why, b.by, b.why, r.facts
"""
"""What ``release_summary`` reads, of ``releases r LEFT JOIN live l`` and the rollback ``promotions b``."""


def release_summary(row: tuple[Any, ...]) -> ReleaseSummary:
    """A row of SUMMARY_COLUMNS as a value."""
    identity, task, parent, trunk, since, upto, created, outcome, live, pruned, *told, facts = row
    forced_by, forced_why, rolled_back_by, rolled_back_why = told
    return ReleaseSummary(
        identity,
        task,
        parent,
        trunk,
        LogRange(since, upto),
        datetime.fromisoformat(created),
        outcome,
        bool(live),
        bool(pruned),
        forced_by,
        forced_why,
        rolled_back_by,
        rolled_back_why,
        facts,
    )
