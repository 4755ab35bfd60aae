"""What a run of the demo found: everything that its report shows, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

from freshtune.demo.verdicts import Decision
from freshtune.records import Estimate


@dataclass(frozen=True, slots=True)
class Change:
    """A score in [0, 1] of the live release (before) and of the candidate tuned from it (after)."""

    before: float
    after: float

    @property
    def points(self) -> float:
        """The gain in points (hundredths).

        >>> round(Change(0.88, 0.9).points, 6)
        2.0
        """
        return 100 * (self.after - self.before)


@dataclass(frozen=True, slots=True)
class FirstRelease:
    """The release that was made from history."""

    release: str
    events: int
    kept: int
    duplicates: int
    trained_on: int
    held_out: int
    seconds: Mapping[str, float]
    score: float


@dataclass(frozen=True, slots=True)
class IncrementResult:
    """One update.

    Attributes:
        name, domain: as in the stream (``hotels 2``, ``hotels``).
        events: sent to ingest; ``kept`` of them were new, ``duplicates`` were counted once.
        held_out: how many of the kept ones were held out for life.
        seconds: phase → wall time, in the order of the phases.
        fresh: scores on this increment's own held-out examples.
        old: scores on the held-out examples of all that came before it.
        verdict: what the gate said, in words, one reason or more.
        decision: what became of the candidate; unless it was promoted, the live release stayed.
        promoted: the same for programs that ask no more.
        release: the candidate, as it was recorded.
    """

    name: str
    domain: str
    events: int
    kept: int
    duplicates: int
    held_out: int
    seconds: Mapping[str, float]
    fresh: Change
    old: Change
    verdict: tuple[str, ...]
    decision: Decision
    promoted: bool
    release: str


@dataclass(frozen=True, slots=True)
class DomainResult:
    """The first release, never updated, against the last live one, on one domain's held-out examples.

    Attributes:
        frozen, final: their scores.
        difference: final − frozen with its paired 95 % interval.
        scores: the live release's score on this domain after the first release and after each increment, on what had
            arrived of it; just before it first arrived, on the reviews that came next; None earlier. One more entry
            than there are increments.
        learned: the score right after the last increment of this domain, before anything else arrived.
    """

    domain: str
    examples: int
    frozen: float
    final: float
    difference: Estimate
    scores: tuple[float | None, ...]
    learned: float

    @property
    def forgetting(self) -> float:
        """Points lost from just after it was learned to the end; negative where it got better."""
        return 100 * (self.learned - self.final)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a release answered through the running service."""

    release: str
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class DemoResult:
    """A whole run.

    Attributes:
        length: its name in ``stream.LENGTHS``.
        metric: what every score is (``accuracy``).
        sentence: what both releases were asked; ``replies`` are those of the first and of the last live one.
        machine: fact → value, in the order they are shown.
        total_seconds: from the start of the demo to the report.
    """

    length: str
    backbone: str
    metric: str
    first: FirstRelease
    increments: tuple[IncrementResult, ...]
    domains: tuple[DomainResult, ...]
    sentence: str
    replies: tuple[Reply, Reply]
    machine: Mapping[str, str]
    total_seconds: float
