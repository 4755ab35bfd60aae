"""What callers read: answers and releases as plain JSON values."""

from collections.abc import Iterable, Sequence

from freshtune.model.answers import Answers
from freshtune.model.heads import Head
from freshtune.records import Json, Release
from freshtune.serve.service import Listed, Part, Step


def class_names(head: Head, classes: int) -> list[str]:
    """The names of the columns of ``Answers.probabilities``.

    >>> from freshtune.model.heads.ordinal import Ordinal
    >>> class_names(Ordinal(1, 3), 3)
    ['1', '2', '3']
    """
    first = int(getattr(head, "lowest", 0))
    return [str(head.name(first + column)) for column in range(classes)]


def readable(head: Head, answers: Answers) -> list[dict[str, Json]]:
    """Answers as JSON, in order.

    ``score`` is the probability of ``label`` where the head names classes, else the head's own real-valued answer
    (expected star, grade). Six decimals.
    """
    names = class_names(head, answers.probabilities.shape[1])
    probabilities = answers.probabilities.astype(float).round(6).tolist()
    scores = answers.probabilities.max(axis=1) if head.kind == "classes" else answers.score
    return [
        {"label": head.name(number), "score": round(score, 6), "probabilities": dict(zip(names, row, strict=True))}
        for number, score, row in zip(answers.prediction.tolist(), scores.tolist(), probabilities, strict=True)
    ]


def release_line(release: Listed) -> dict[str, Json]:
    """One line of the list of releases."""
    return {
        "id": release.id,
        "task": release.task,
        "parent": release.parent,
        "created": release.created.isoformat(),
        "range": [release.range.since, release.range.upto],
        "outcome": release.outcome,
        "live": release.live,
        "pruned": release.pruned,
        "forced_by": release.forced_by,
        "forced_why": release.forced_why,
        "rolled_back_by": release.rolled_back_by,
        "rolled_back_why": release.rolled_back_why,
        "bytes": release.size,
        "scores": {held_out: dict(scores) for held_out, scores in release.scores.items()},
        "reasons": list(release.reasons),
    }


def release_standing(summary: Listed, history: Sequence[Step]) -> dict[str, Json]:
    """Where a release stands, and who put it there: what is said of it beside ``release_details``.

    Args:
        history: the promotions and rollbacks in which it came or went, oldest first.
    """
    return {
        "outcome": summary.outcome,
        "live": summary.live,
        "pruned": summary.pruned,
        "history": [
            {
                "action": step.action,
                "release": step.release,
                "replaced": step.replaced,
                "time": step.time.isoformat(),
                "by": step.by,
                "why": step.why,
                "forced": step.forced,
            }
            for step in history
        ],
    }


def quarantined_by(release: str, consumed: Iterable[Part]) -> list[tuple[int, int]]:
    """The log ranges that a release has put in quarantine, each as since and upto.

    Args:
        release: its id; it was refused or rolled back.
        consumed: of its task.
    """
    bad = (part.range for part in consumed if part.release == release and part.outcome != "promoted")
    return [(part.since, part.upto) for part in bad]


def release_details(release: Release) -> dict[str, Json]:
    """A release with its scores, what the gate said, and its files' digests."""
    return {
        "id": release.id,
        "task": release.task,
        "parent": release.parent,
        "created": release.created.isoformat(),
        "range": [release.range.since, release.range.upto],
        "promote": release.verdict.promote,
        "reasons": list(release.verdict.reasons),
        "forced_by": release.forced_by,
        "forced_why": release.forced_why,
        "trunk": release.trunk,
        "vector_space": release.vector_space,
        "recipe": release.recipe,
        "artefacts": dict(release.artefacts),
        "scorecards": {
            name: {
                "held_out": card.held_out,
                "examples": card.examples,
                "metrics": {metric: [each.value, each.low, each.high] for metric, each in card.metrics.items()},
                "slices": {part: dict(scores) for part, scores in card.slices.items()},
            }
            for name, card in release.scorecards.items()
        },
        "findings": [
            {
                "rule": each.rule,
                "passed": each.passed,
                "examined": each.examined,
                "numbers": dict(each.numbers),
                "words": each.words,
            }
            for each in release.verdict.findings
        ],
    }
