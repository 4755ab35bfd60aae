"""Challenger against champion, both as they are served, on the same held-out examples."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from freshtune.cycle.gathering import Gathered
from freshtune.cycle.lessons import inputs_of
from freshtune.judge.baselines import Majority, TfIdf
from freshtune.judge.case import Gate, ReleaseFacts
from freshtune.judge.evaluate import evaluate
from freshtune.judge.gate import judge, judge_first
from freshtune.model.heads.several import Several
from freshtune.model.predictor import Input, Predictor
from freshtune.records import Example, Finding, Scorecard, Verdict
from freshtune.ship.bundle import Bundle
from freshtune.tasks import Task

_TIMED_TEXTS, _ROUNDS = 8, 4
_SAME_SIZE = 0.01
"""Share of the bytes that are served: a class more adds a row to the head, a hundred thousandth of them."""

HeldOut = Mapping[str, Sequence[Example]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found about a challenger: its own scorecards, and those that it was held against, under ``name/set``."""

    scorecards: Mapping[str, Scorecard]
    verdict: Verdict


def scorecards(
    predictor: Predictor, task: Task, held_out: HeldOut, judged: Mapping[str, Scorecard] | None = None
) -> dict[str, Scorecard]:
    """One scorecard a held-out set.

    Args:
        judged: earlier scorecards of a release, its own without a name in front; what they say of an example is not
            computed again.
    """
    own = {name: card for name, card in (judged or {}).items() if "/" not in name}
    known = {outcome.id: outcome for card in own.values() for outcome in card.outcomes}
    return {name: evaluate(predictor, task, examples, name, known) for name, examples in held_out.items() if examples}


def judged_update(
    ours: Mapping[str, Scorecard],
    theirs: Mapping[str, Scorecard],
    labels: Finding | None,
    facts: ReleaseFacts,
    gate: Gate,
) -> Judged:
    """Let the gate decide about an update."""
    verdict = judge(ours, theirs, facts, labels, gate)
    return Judged({**ours, **{f"champion/{name}": card for name, card in theirs.items()}}, verdict)


def judged_refresh(
    fresh: Bundle,
    champion: Bundle,
    task: Task,
    held_out: HeldOut,
    known: Mapping[str, Scorecard],
    gate: Gate,
) -> Judged:
    """Let the gate decide about a model on another trunk than the champion's; both learned from the same labels.

    Args:
        known: the champion's own scorecards.
    """
    ours, theirs = (
        scorecards(fresh.predictor(), task, held_out),
        scorecards(champion.predictor(), task, held_out, known),
    )
    facts = measured(fresh, None, champion, held_out["new"])
    return judged_update(ours, theirs, None, facts, gate)


def judged_first(
    ours: Mapping[str, Scorecard], task: Task, gathered: Gathered, incumbent: Predictor | None, gate: Gate
) -> Judged:
    """Let the gate decide about a model that was trained from history.

    Args:
        incumbent: the live release, where there is one.
    """
    learned, head = gathered.delta.labelled, task.head()
    rivals: dict[str, Predictor] = {"majority": Majority.fit(learned, head), "tfidf": TfIdf.fit(learned, head)}
    if incumbent is not None:
        rivals["champion"] = incumbent
    cards = {name: scorecards(rival, task, gathered.held_out) for name, rival in rivals.items()}
    verdict = judge_first(ours, cards, gate)
    against = {f"{name}/{side}": card for name, sides in cards.items() for side, card in sides.items()}
    return Judged({**ours, **against}, verdict)


def measured(challenger: Bundle, top: Path | None, champion: Bundle, examples: Sequence[Example]) -> ReleaseFacts:
    """Bytes and speed of a challenger beside the champion's, the speed measured in turns on the same texts.

    Models of nearly one size run the same steps, though one may answer with some classes more; their speed is not
    measured, for a busy machine would find them apart. Else the least times are compared: what else runs on the
    machine can only add to a time.

    Args:
        challenger: with its own trunk, or the champion's where that stays.
        top: the challenger's ``top.onnx``; None where the bundle's own is meant.
        examples: texts to time with; the first eight.
    """
    ours_bytes, theirs_bytes = challenger.served_bytes(top), champion.served_bytes()
    known = champion.head.labels if isinstance(champion.head, Several) else ()
    if abs(ours_bytes - theirs_bytes) <= _SAME_SIZE * theirs_bytes:
        return ReleaseFacts(ours_bytes, theirs_bytes, known=known)
    texts = inputs_of(examples[:_TIMED_TEXTS])
    ours, theirs = challenger.uncached(top), champion.uncached()
    taken = [(_seconds(ours, texts), _seconds(theirs, texts)) for _ in range(_ROUNDS if texts else 0)]
    ours_least, theirs_least = map(min, zip(*taken, strict=True)) if taken else (0.0, 0.0)
    return ReleaseFacts(
        bytes=ours_bytes,
        champion_bytes=theirs_bytes,
        latency_ratio=ours_least / theirs_least if taken else None,
        known=known,
    )


def _seconds(predictor: Predictor, texts: Sequence[Input]) -> float:
    started = time.perf_counter()
    predictor.logits(texts)
    return time.perf_counter() - started
