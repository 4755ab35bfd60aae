"""What is different between two releases of a task: files, scores, and whose answers flipped."""

from collections.abc import Mapping
from dataclasses import dataclass

from freshtune.errors import UsageError
from freshtune.records import Release, Scorecard
from freshtune.ship.registry_reader import RegistryReader


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file: its digest on either side (None where absent) and the bytes of the newer one."""

    name: str
    before: str | None
    after: str | None
    size: int


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """One metric on one held-out set, each release on the examples of its own time."""

    held_out: str
    metric: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Flips:
    """Answers on the examples that both were judged on: wrong before and right now, and the reverse."""

    held_out: str
    examples: int
    gained: int
    lost: int


@dataclass(frozen=True, slots=True)
class ReleaseDiff:
    """The newer release against the older one.

    Attributes:
        same_trunk: whether a server can swap between them by the top alone.
        files: those that are not the same on both sides.
        download: bytes that someone who has the older one needs for the newer one.
    """

    older: str
    newer: str
    same_trunk: bool
    files: tuple[FileChange, ...]
    download: int
    scores: tuple[ScoreChange, ...]
    flips: tuple[Flips, ...]


def diff(registry: RegistryReader, older: str, newer: str) -> ReleaseDiff:
    """Compare two releases.

    Raises:
        NotFound: one of them is not there.
        UsageError: they are of different tasks.
    """
    before, after = registry.get(older), registry.get(newer)
    if before.task != after.task:
        raise UsageError(f"{before.id} and {after.id} are of different tasks", mend="Compare releases of one task.")
    sizes = {file.name: file.size for file in registry.stored_files(after.id)}
    files = tuple(
        FileChange(name, before.artefacts.get(name), after.artefacts.get(name), sizes.get(name, 0))
        for name in sorted({**before.artefacts, **after.artefacts})
        if before.artefacts.get(name) != after.artefacts.get(name)
    )
    shared = [name for name in after.scorecards if name in before.scorecards and "/" not in name]
    return ReleaseDiff(
        before.id,
        after.id,
        before.trunk == after.trunk,
        files,
        sum(change.size for change in files if change.after not in set(before.artefacts.values())),
        tuple(change for name in shared for change in _scores(name, before, after)),
        tuple(_flips(name, before.scorecards[name], after.scorecards[name]) for name in shared),
    )


def _scores(name: str, before: Release, after: Release) -> list[ScoreChange]:
    old, new = before.scorecards[name].metrics, after.scorecards[name].metrics
    return [ScoreChange(name, metric, old[metric].value, new[metric].value) for metric in new if metric in old]


def _flips(name: str, before: Scorecard, after: Scorecard) -> Flips:
    old, new = _right(before), _right(after)
    both = old.keys() & new.keys()
    return Flips(
        name,
        len(both),
        sum(new[example] and not old[example] for example in both),
        sum(old[example] and not new[example] for example in both),
    )


def _right(card: Scorecard) -> Mapping[str, bool]:
    return {outcome.id: outcome.prediction == outcome.target for outcome in card.outcomes}
