"""How far an update goes: the longest step from the champion that the gate lets pass.

Between the champion's weights and the tuned ones lie all averages of both. The longer the step, the more is learned of
what is new, and the more may be lost of what is old. Development data choose the first one that is judged; where the
gate finds no fault but on what is old, a shorter one is made, and judged by a stricter bound.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from freshtune.cycle.trial import Judged, judged_update, measured, scorecards
from freshtune.model.adapters.settling import factors as factors_of
from freshtune.phases import Phases
from freshtune.records import Finding, Release, Verdict
from freshtune.settings import Settings
from freshtune.ship.bundle import TOP, Bundle, write_next
from freshtune.tasks import Task

if TYPE_CHECKING:
    from freshtune.cycle.learning import Learned

_OF_STEPS = frozenset({"bound on old", "slices", "negative flips", "calibration"})
"""What a shorter step may mend: it lies closer to the champion."""


def longest_step(
    bundle: Bundle,
    task: Task,
    learned: "Learned",
    champion: Release,
    settings: Settings,
    folder: Path,
    phases: Phases,
) -> Judged:
    """Write a challenger's top into ``folder`` and let it be judged as it ships; shorter ones after it, while that may
    help. What was judged last is what stays, and its share of the way is said beside the verdict.

    Args:
        bundle: the champion's.
        task: as it answers once the head has grown.
    """
    attempts, head = (learned.challenger, *learned.challenger.shorter), task.head()
    held_out, theirs = learned.gathered.held_out, None
    for look, attempt in enumerate(attempts, 1):
        with phases("ship"):
            factors = factors_of(settings.learn.adapter, attempt.learned, attempt.share)
            write_next(bundle, head, attempt.weights, factors, settings.ship.compression, folder)
        with phases("judge"):
            ours = scorecards(bundle.predictor(folder / TOP, head), task, held_out)
            theirs = theirs or scorecards(bundle.predictor(), task, held_out, champion.scorecards)
            facts = measured(bundle, folder / TOP, bundle, held_out["new"])
            judged = judged_update(ours, theirs, learned.labels, facts, settings.judge.gate.stricter(look))
        if look == len(attempts) or not may_be_mended(judged.verdict):
            break
        phases.on_remark(
            f"{attempt.share:.0%} of the way to what was learned would forget too much; "
            f"{attempts[look].share:.0%} is tried."
        )
    return replace(
        judged, verdict=replace(judged.verdict, findings=(*judged.verdict.findings, _step(attempt.share, look)))
    )


def _step(share: float, looks: int) -> Finding:
    """What the verdict says of the step that it is about."""
    words = f"{share:.0%} of the way from the champion to what was learned."
    if looks > 1:
        words += f" Longer steps would forget too much: {looks} were judged, each by stricter bounds."
    return Finding("step", True, {"share": share, "looks": float(looks)}, words)


def may_be_mended(verdict: Verdict) -> bool:
    """Whether all that the gate objects to is what a shorter step may do better.

    >>> from freshtune.records import Finding
    >>> old, new = Finding("bound on old", False, {}, ""), Finding("gain on new", False, {}, "")
    >>> [may_be_mended(Verdict(False, found)) for found in ((old,), (old, new))]
    [True, False]
    """
    failed = {finding.rule for finding in verdict.findings if not finding.passed}
    return bool(failed) and failed <= _OF_STEPS
