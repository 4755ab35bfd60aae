"""The nouns that flow through freshtune. All are frozen, none knows a stage, a store or a framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

Kind = Literal["review", "item", "query", "impression", "click", "cart", "purchase", "chat", "label", "erase"]
KINDS: tuple[Kind, ...] = (
    "review",
    "item",
    "query",
    "impression",
    "click",
    "cart",
    "purchase",
    "chat",
    "label",
    "erase",
)

Label = str | int | float | tuple[str, ...] | tuple[float, ...]
"""A hard label (class name, star, grade; several names, sorted) or a soft one: a probability for each output of the
task's head."""


def names_of(label: Label | None) -> tuple[str, ...]:
    """The names that a hard label says; none of a number, of a soft label, of no label.

    >>> names_of("refund"), names_of(("blue", "linen")), names_of(4), names_of((0.25, 0.75))
    (('refund',), ('blue', 'linen'), (), ())
    """
    if isinstance(label, str):
        return (label,)
    return tuple(part for part in label if isinstance(part, str)) if isinstance(label, tuple) else ()


Source = Literal["human", "behaviour", "pseudo", "generated", "rule", "augmented"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in the shop, masked, as the log keeps it.

    Attributes:
        id: the sender's id, else the digest of the mapped record; unique in the log.
        kind: what happened.
        time: when it happened, UTC; None where the sender did not say.
        task: the task that it was sent for; None means every task that reads this kind.
        user, item, session: the sender's own ids, text of at most 256 characters.
        text: the review, the query, the product's title.
        fields: everything else. Names with a meaning: ``label`` (review, query, label events), ``pair`` (second
            text, such as a product title beside a query), ``category``, ``example`` (label events: the id of the
            example that is labelled).
        position: place in the log, from 1; 0 before it is appended.
        schema_version: version of this record's shape.
    """

    id: str
    kind: Kind
    time: datetime | None = None
    task: str | None = None
    user: str | None = None
    item: str | None = None
    session: str | None = None
    text: str | None = None
    fields: Mapping[str, Json] = field(default_factory=dict)
    position: int = 0
    schema_version: int = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not become an event: why, and its masked, shortened content."""

    reason: str
    detail: str
    record: str
    source: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a label comes from.

    Attributes:
        source: who or what said it.
        release: the release that predicted it, for pseudo-labels.
        confidence: its probability in [0, 1], where known.
    """

    source: Source = "human"
    release: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One input of one task, with its label where there is one.

    Attributes:
        id: the id of the event that it was made from.
        text, pair: as rendered for the model; ``pair`` is the second text of a two-text task.
        label: None while unlabelled.
        weight: factor of its loss.
        split_key: what decides, by its unsalted hash, on which side of the held-out split it is for life.
    """

    id: str
    task: str
    text: str
    pair: str | None = None
    label: Label | None = None
    weight: float = 1.0
    provenance: Provenance = Provenance()
    time: datetime | None = None
    category: str | None = None
    split_key: str = ""
    fields: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogRange:
    """Log positions ``since < position <= upto``."""

    since: int
    upto: int


@dataclass(frozen=True, slots=True)
class DeltaCounts:
    """What was met on the way from events to examples.

    Attributes:
        events: those of the range that speak to the task: its kinds, and labels for it.
        exact_duplicates, near_duplicates: examples of the range that repeat an earlier one, of any delta.
        late_labels: label events that joined the example they name.
        corrections: examples of earlier deltas whose label is another now.
        conflicts: labels that contradict the one said before for the same text.
        rerendered: labelled examples of earlier deltas that come again because their product's text changed.
        refused_labels: labels that the task does not accept, such as a rating outside its scale.
        waiting_labels: label events whose example has not arrived yet.
        conflicting: ids of the examples that conflicts are about, the first 100 in log order.
    """

    events: int = 0
    exact_duplicates: int = 0
    near_duplicates: int = 0
    late_labels: int = 0
    corrections: int = 0
    conflicts: int = 0
    rerendered: int = 0
    refused_labels: int = 0
    waiting_labels: int = 0
    conflicting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """What a task has not consumed yet, ready to learn from: three disjoint sides."""

    task: str
    range: LogRange
    labelled: tuple[Example, ...]
    unlabelled: tuple[Example, ...]
    held_out: tuple[Example, ...]
    counts: DeltaCounts


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model said about one held-out example.

    Attributes:
        target: the true label as the head's number (class index, star, grade).
        prediction: the answer as the same kind of number.
        score: the head's real-valued output for ranking and ordinal metrics (expected value, relevance).
        probabilities: one per class; empty where the head has none.
        group: the query of a ranking task, else "".
        category: slice that it belongs to, "" where none.
        true, said: of an answer of several names those that hold and those that were said, sorted; ``target`` is then
            1, and so is ``prediction`` where both are the same, else 0.
    """

    id: str
    target: float
    prediction: float
    score: float
    probabilities: tuple[float, ...]
    group: str = ""
    category: str = ""
    true: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One model on one held-out set: its metrics, its slices, and the outcome of every example by id."""

    held_out: str
    examples: int
    metrics: Mapping[str, Estimate]
    slices: Mapping[str, Mapping[str, float]]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule of the gate says, in numbers and in words.

    Attributes:
        passed: whether it lets the release pass; a rule with nothing to look at does.
        examined: whether there was anything to look at.
        shown: of one that does not pass: whether the harm is beyond noise. Where it is not, more data may tell.
    """

    rule: str
    passed: bool
    numbers: Mapping[str, float]
    words: str
    examined: bool = True
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote, refuse or leave undecided, with every rule that spoke."""

    promote: bool
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was not promoted, in words, harm that is shown first; empty when it was."""
        failed = [finding for finding in self.findings if not finding.passed]
        return tuple(finding.words for finding in sorted(failed, key=lambda finding: not finding.shown))

    @property
    def undecided(self) -> bool:
        """Not promoted, and no harm is shown: the evidence is too little, and what was learned waits for more."""
        return not self.promote and not any(finding.shown for finding in self.findings if not finding.passed)


@dataclass(frozen=True, slots=True)
class Release:
    """One version of one task's model, promoted or not, and everything needed to explain it.

    Attributes:
        id: ``<task>-<12 hex digits>``, from the digest of its artefacts, parent and log range.
        parent: the release that it was tuned from; None for a first one.
        trunk: digest of the frozen lower part that it needs.
        vector_space: digest that changes when stored embeddings can no longer be compared with new ones.
        range: the log range that it consumed.
        artefacts: file name → sha256 of its bytes.
        forced_by, forced_why: set when a person overruled the gate.
    """

    id: str
    task: str
    parent: str | None
    trunk: str
    vector_space: str
    range: LogRange
    recipe: str
    created: datetime
    scorecards: Mapping[str, Scorecard]
    verdict: Verdict
    artefacts: Mapping[str, str]
    forced_by: str | None = None
    forced_why: str | None = None
