"""What callers read: answers and releases as plain JSON values."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from freshtune.model.answers import Answers
from freshtune.model.heads import Head
from freshtune.records import Json, Label, Release
from freshtune.serve.service import Listed, Part, Step


def readable(head: Head, answers: Answers) -> list[dict[str, Json]]:
    """Answers as JSON, in order.

    ``score`` is the probability of ``label`` where the head names classes, else the head's own real-valued answer
    (expected star, grade; how sure the least sure of several names is). Six decimals.
    """
    names = head.columns(answers.probabilities.shape[1])
    probabilities = answers.probabilities.astype(float).round(6).tolist()
    scores = _scores(head, answers)
    return [
        {"label": _plain(label), "score": round(score, 6), "probabilities": dict(zip(names, row, strict=True))}
        for label, score, row in zip(head.read(answers), scores.tolist(), probabilities, strict=True)
    ]


def _scores(head: Head, answers: Answers) -> NDArray[np.float32]:
    if head.kind == "classes":
        return np.asarray(answers.probabilities.max(axis=1))
    if head.kind == "several":
        sure = np.maximum(answers.probabilities, 1 - answers.probabilities)
        return np.asarray(sure.min(axis=1, initial=1.0))
    return answers.score


def _plain(label: Label) -> Json:
    return list(label) if isinstance(label, tuple) else label


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
