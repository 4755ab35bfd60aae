"""What is different between two releases of a task: files, and scores and answers on the examples both were judged on.

Each release is judged on the held-out examples of its own time, so its scores as they stand cannot be held against
another's: the stored outcomes of the common examples are scored again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from freshtune.errors import UsageError
from freshtune.records import Outcome, Release, Scorecard
from freshtune.ship.registry_reader import RegistryReader

Measure = Callable[[str, Sequence[Outcome]], float]
"""The value of a metric, by its name, on outcomes of one model; NaN where it is not defined."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file: its digest on either side (None where absent) and the bytes of the newer one."""

    name: str
    before: str | None
    after: str | None
    size: int


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """One metric of both releases on the same examples; NaN where it is not defined."""

    metric: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class HeldOutChange:
    """What two releases say about one held-out set.

    Attributes:
        held_out: the set, of the newer release (of the child, where the older one was tuned from the newer).
        examples: how many that release was judged on.
        common: how many of them the other was judged on too, under the same label; 0 leaves nothing to compare.
        scores: on the common examples; none where there is no such example.
        gained, lost: answers that were wrong before and are right now, and the reverse.
    """

    held_out: str
    examples: int
    common: int
    scores: tuple[ScoreChange, ...]
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
    held_out: tuple[HeldOutChange, ...]


def diff(registry: RegistryReader, older: str, newer: str, measure: Measure) -> ReleaseDiff:
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
    return ReleaseDiff(
        before.id,
        after.id,
        before.trunk == after.trunk,
        files,
        sum(change.size for change in files if change.after not in set(before.artefacts.values())),
        _held_out(before, after, measure),
    )


def _held_out(before: Release, after: Release, measure: Measure) -> tuple[HeldOutChange, ...]:
    if before.parent == after.id:  # only the child's scorecards hold both on the same examples
        return tuple(map(_reversed, _held_out(after, before, measure)))
    known = _answers(before, after)
    return tuple(_change(card, known, measure) for name, card in after.scorecards.items() if "/" not in name)


def _answers(release: Release, later: Release) -> Mapping[str, Outcome]:
    """All that a release is known to have answered, by example; what a child of it was held against comes last."""
    cards = [card for name, card in release.scorecards.items() if "/" not in name]
    if later.parent == release.id:
        cards += [card for name, card in later.scorecards.items() if name.startswith("champion/")]
    return {outcome.id: outcome for card in cards for outcome in card.outcomes}


def _change(card: Scorecard, known: Mapping[str, Outcome], measure: Measure) -> HeldOutChange:
    new = [each for each in card.outcomes if each.id in known and _truth(known[each.id]) == _truth(each)]
    old = [known[each.id] for each in new]
    right = [(was.prediction == was.target, now.prediction == now.target) for was, now in zip(old, new, strict=True)]
    scores = tuple(ScoreChange(metric, measure(metric, old), measure(metric, new)) for metric in card.metrics if new)
    return HeldOutChange(
        card.held_out, card.examples, len(new), scores, right.count((False, True)), right.count((True, False))
    )


def _truth(outcome: Outcome) -> tuple[float, tuple[str, ...]]:
    return outcome.target, outcome.true


def _reversed(change: HeldOutChange) -> HeldOutChange:
    scores = tuple(ScoreChange(each.metric, each.after, each.before) for each in change.scores)
    return HeldOutChange(change.held_out, change.examples, change.common, scores, change.lost, change.gained)
