"""Which log ranges a task is done with: learned by the live release or its ancestors, or quarantined."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from freshtune.records import LogRange

ConsumedOutcome = Literal["promoted", "refused", "rolled_back"]


class Consumed(NamedTuple):
    """A log range that needs no learning again, why, and by which release."""

    range: LogRange
    outcome: ConsumedOutcome
    release: str


class Learner(NamedTuple):
    """What the registry's row of a release says about its range.

    Attributes:
        number: counts up in order of recording.
        included: the highest number that there was when the range was brought back out of quarantine; 0 if never.
    """

    number: int
    release: str
    parent: str | None
    range: LogRange
    outcome: str
    included: int


def consumption(learners: Sequence[Learner], live: str | None) -> tuple[Consumed, ...]:
    """What is consumed, in log order; a release may appear with several ranges.

    What was brought back counts as consumed only by releases that were recorded after that: an earlier training that
    spans it had passed it over. A refused training, whose range begins at 0, says nothing about the labels and
    consumes nothing; one that was rolled back quarantines what its ancestors had not learned.

    Args:
        learners: every release of the task.
        live: the release that answers.

    >>> first = Learner(1, "a", None, LogRange(0, 10), "promoted", 0)
    >>> bad = Learner(2, "b", "a", LogRange(10, 20), "refused", 0)
    >>> again = Learner(3, "c", "a", LogRange(0, 30), "promoted", 0)
    >>> unconsumed(consumption([first, bad, again], "c"), 30)
    ()
    >>> unconsumed(consumption([first, bad._replace(included=3), again], "c"), 30)
    (LogRange(since=10, upto=20),)
    """
    known = {each.release: each for each in learners}
    lineage = set(_ancestry(known, live))
    brought_back = [(each.included, part) for each in learners if each.included for part in _bad(known, each)]
    found: list[Consumed] = []
    for each in learners:
        if each.release in lineage:
            passed_over = (part for since, part in brought_back if since >= each.number)
            found += [Consumed(part, "promoted", each.release) for part in without(each.range, passed_over)]
        elif not each.included:
            outcome: ConsumedOutcome = "refused" if each.outcome == "refused" else "rolled_back"
            found += [Consumed(part, outcome, each.release) for part in _bad(known, each)]
    return tuple(sorted(found, key=lambda part: (part.range.since, part.range.upto, part.release)))


def _bad(known: Mapping[str, Learner], each: Learner) -> tuple[LogRange, ...]:
    """What a release quarantines, unless it is live again or was brought back."""
    is_training = each.range.since == 0
    if each.outcome == "refused":
        return () if is_training else without(each.range, ())
    if each.outcome == "rolled_back":
        learned = (known[one].range for one in _ancestry(known, each.parent))
        return without(each.range, learned if is_training else ())
    return ()


def without(whole: LogRange, parts: Iterable[LogRange]) -> tuple[LogRange, ...]:
    """What is left of a range.

    >>> without(LogRange(0, 30), [LogRange(10, 20), LogRange(25, 40)])
    (LogRange(since=0, upto=10), LogRange(since=20, upto=25))
    """
    left, reached = [], whole.since
    for part in sorted(parts, key=lambda part: part.since):
        if part.since >= whole.upto:
            break
        if part.since > reached:
            left.append(LogRange(reached, part.since))
        reached = max(reached, part.upto)
    if reached < whole.upto:
        left.append(LogRange(reached, whole.upto))
    return tuple(left)


def unconsumed(consumed: Iterable[Consumed], head: int) -> tuple[LogRange, ...]:
    """The log ranges up to ``head`` that no consumed range covers, in log order.

    >>> unconsumed([Consumed(LogRange(10, 20), "promoted", "a")], 30)
    (LogRange(since=0, upto=10), LogRange(since=20, upto=30))
    """
    return without(LogRange(0, head), (part.range for part in consumed))


def lifting(consumed: Iterable[Consumed], releases: Collection[str]) -> tuple[Consumed, ...]:
    """What is consumed as if the quarantine of some releases were lifted: their ranges count as learned by nobody.

    >>> bad, again = Consumed(LogRange(10, 20), "refused", "b"), Consumed(LogRange(0, 30), "promoted", "c")
    >>> [part.range for part in lifting([bad, again], ["b"])]
    [LogRange(since=0, upto=10), LogRange(since=20, upto=30)]
    >>> lifting([bad, again], []) == (bad, again)
    True
    """
    parts = tuple(consumed)
    lifted = {part for part in parts if part.outcome != "promoted" and part.release in releases}
    back = [part.range for part in lifted]
    left = (part for part in parts if part not in lifted)
    return tuple(part._replace(range=piece) for part in left for piece in without(part.range, back))


def _ancestry(known: Mapping[str, Learner], release: str | None) -> Iterator[str]:
    """A release, its parent, and so on."""
    while release is not None and release in known:
        yield release
        release = known[release].parent
