"""The rules of the gate: each looks at a case, gives its numbers and says in words what it saw.

**The bound on old.** DESIGN asks that a one-sided 95 % bound on the change on old examples lies above −1 point. The
bound of plain paired accuracy, resampled, is honest but blunt: on 600 examples it refuses 56 % of real challengers
that lost nothing. No unbiased estimate from these labels alone is less noisy (the mean of the paired differences is
efficient); a control variate from the models' own probabilities explains 7 % of the variance, and an exact bound on
the answers that differ refuses 52 %. Much of the noise is ties, answers that both models hold for nearly even. So for
accuracy the bound is on *smoothed accuracy* (``metrics.SmoothedAccuracy``), in which a near tie earns a part, **and**
the plain observed accuracy must not have fallen by a point either. Both bounds stand in the numbers; ``tie_margin =
0`` decides by the plain one. Other primary metrics are resampled as they are.

What it buys: of real challengers without a loss it refuses 37 % and 10 % on 600 and 2,000 examples (plain: 56, 18);
of those that lost one point 95 % (plain: 93 to 94), two points 99.8 to 100 %. What it costs: it is a bound on another
quantity. Where a loss is planted among ties alone and every other answer stays as sure as it was, a loss of one point
is refused in 59 to 80 % (plain: 92 to 96), of two points in 97 to 100 %.

The gain on new is judged by the smoothed accuracy, too: it must not be negative, and the plain one must not be shown
to have fallen. One answer of 300 that flips between near ties would else decide.

**Few old examples.** Below ``enough_old`` the noise of the difference alone would refuse: with 78 examples 77 % of the
challengers that lost nothing, with 150 69 %, with 300 57 %. So there the allowance is a point times √(600 / number), as
much as the noise has grown. Those shares fall to 24, 29 and 32 %, no more than with 600, and small losses pass:

| true loss, points | refused of 78 | of 150 | of 300 | the same under ``enough_old = 1`` |
|---|---|---|---|---|
| 2 | 92 % | 97 % | 99 % | 98, 99, 100 % |
| 3 | 97 % | 99 % | 100 % | 99, 99, 100 % |
| 5 | 99 % | 99.5 % | 100 % | 100, 100, 100 % |
| 2, planted among ties (4 % answered differently) | 56 % | 75 % | 86 % | 94, 94, 96 % |
| 3, the same | 65 % | 87 % | 96 % | 97, 98, 100 % |

There more may flip, too, by what chance adds, and a loss of calibration must be shown by its bound: one sure answer of
80 that is wrong now raises the negative log-likelihood by more than its whole allowance. ``benchmarks/gate`` measures
the bound on old. For power, give it 2,000 old examples and challengers that change few answers.

**Classes that have come.** The champion cannot take an old text for a class that it does not know. So where the head
has grown, the bound on old looks at what both know: the challenger's answer among the champion's classes. What goes to
classes that have come is counted beside it, and has a limit of its own (``max_taken``).

**Refused, or undecided.** A rule that says no also says whether the harm is beyond noise (``Finding.shown``). Where no
rule has shown harm the release is neither promoted nor refused: what it learned from is learned again with what comes
next, and judged by more.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from freshtune.judge.case import Case, Pair, noise_of
from freshtune.judge.intervals import paired_change
from freshtune.judge.metrics import METRICS, Metric, SmoothedAccuracy
from freshtune.judge.outcome_table import Floats, OutcomeTable
from freshtune.records import Finding

NEW, OLD = "new", "old"


def points(value: float) -> str:
    return f"{100 * value:+.2f} points"


def change(metric: Metric, pair: Pair, confidence: float) -> tuple[float, float, float]:
    """Gain with its one-sided lower and upper bound; NaN where they are not defined."""
    gain, values = paired_change(metric, pair.challenger, pair.champion)
    if not len(values):
        return gain, float("nan"), float("nan")
    return gain, float(np.quantile(values, 1 - confidence)), float(np.quantile(values, confidence))


def counted(metric: Metric, table: OutcomeTable) -> tuple[int, str]:
    """How many units a metric is a mean of, and what they are called."""
    return (table.queries, "queries") if metric.unit == "query" else (len(table), "examples")


def _gain_on_new(case: Case) -> Finding:
    pair, rule = case.pairs.get(NEW), "gain on new"
    if pair is None or not len(pair.challenger):
        return Finding(rule, False, {"examples": 0.0}, "No new held-out example: nothing shows a gain.", shown=False)
    settings, metric = case.settings, METRICS[case.primary]
    gain, bound, most = change(metric, pair, settings.confidence)
    number, units = counted(metric, pair.challenger)
    numbers = {"examples": float(len(pair.challenger)), "gain": gain, "bound": bound}
    seen, what = gain, ""
    if _is_smoothed(case, pair):
        seen, _, _ = change(SmoothedAccuracy(settings.tie_margin), pair, settings.confidence)
        numbers["smoothed_gain"], what = seen, f" (smoothed {points(seen)})"
    shown, passed = most < 0, seen >= 0 and not most < 0
    words = "No loss on new" if passed else "Worse on new" if shown else "Worse on new, but within noise"
    words += (
        f": {case.primary} on the latest {number} held-out {units} changed by {points(gain)}{what}; it must not fall."
    )
    if number < settings.enough_new:
        words += f" Fewer than {settings.enough_new} {units} see little."
    return Finding(rule, passed, numbers, words, shown=shown)


def _is_smoothed(case: Case, pair: Pair) -> bool:
    """Whether a near tie counts in part: for accuracy, where the answers hold probabilities."""
    has_probabilities = pair.champion.probabilities.shape[1] > 0
    return case.primary == "accuracy" and case.settings.tie_margin > 0 and has_probabilities


def _bound_on_old(case: Case) -> Finding:
    pair, rule = case.pairs.get(OLD), "bound on old"
    if pair is None or not len(pair.challenger):
        words = "No old held-out example: nothing shows what was forgotten."
        return Finding(rule, False, {"examples": 0.0}, words, shown=False)
    settings, metric, taken = case.settings, METRICS[case.primary], pair.taken
    pair = pair.among_known()
    if not len(pair.challenger):
        words = "No old held-out example is of a class that the champion knows: nothing can be forgotten."
        return Finding(rule, True, {"examples": 0.0}, words, examined=False)
    gain, plain, most = change(metric, pair, settings.confidence)
    number, units = counted(metric, pair.challenger)
    allowance = settings.old_allowance(number)
    numbers = {"examples": float(len(pair.challenger)), "gain": gain, "plain_bound": plain, "bound": plain}
    numbers["allowance"] = allowance
    what = case.primary
    if _is_smoothed(case, pair):
        what = "smoothed accuracy"
        numbers["smoothed_gain"], numbers["bound"], _ = change(
            SmoothedAccuracy(settings.tie_margin), pair, settings.confidence
        )
    most_taken = settings.max_taken * noise_of(number, settings.enough_old)
    passed = numbers["bound"] > -allowance and gain > -allowance and taken <= most_taken
    sure = taken - NormalDist().inv_cdf(settings.confidence) * math.sqrt(taken * (1 - taken) / number)
    shown = most < 0 or sure > most_taken
    words = "What is old is kept" if passed else "It has forgotten" if shown else "It may have forgotten"
    words += (
        f": {case.primary} on {number} old {units} changed by {points(gain)}; the one-sided {settings.confidence:.0%} "
        f"bound of {what} is {points(numbers['bound'])}; both must lie above {points(-allowance)}."
    )
    if number < settings.enough_old:
        words += f" With {settings.enough_old} {units} that limit is {points(-settings.max_old_loss)}."
    if case.pairs[OLD].has_grown:
        numbers["taken"] = taken
        words += (
            f" That is among the classes that both know. {taken:.1%} of the old answers were right and are now of a "
            f"class that has come; at most {most_taken:.1%} may be."
        )
    return Finding(rule, passed, numbers, words, shown=shown)


def _chance(excess: float, values: Floats) -> float:
    """Chance of so low an excess if none were lost; normal, because Holm's levels lie beyond what resamples resolve."""
    error = float(values.std()) if len(values) else 0.0
    if not error > 0:
        return 0.0 if excess < 0 else 1.0
    return NormalDist().cdf(excess / error)


def _slices(case: Case) -> Finding:
    """Holm's step-down test over every slice of every set that it has not lost more than the allowance."""
    settings, metric = case.settings, METRICS[case.primary]
    tests: list[tuple[float, str, float]] = []
    for name, pair in case.pairs.items():
        categories, counts = np.unique(pair.champion.category, return_counts=True)
        for category in categories[(counts >= settings.slice_examples) & (categories != "")].tolist():
            rows = pair.champion.category == category
            gain, values = paired_change(metric, pair.challenger.at(rows), pair.champion.at(rows))
            tests.append((_chance(gain + settings.max_slice_loss, values), f"{name}/{category}", gain))
    tests.sort()
    lost: list[str] = []
    for place, (chance, slice_name, gain) in enumerate(tests):
        if not chance < (1 - settings.confidence) / (len(tests) - place):
            break
        lost.append(f"{slice_name} ({points(gain)})")
    if not tests:
        words = f"No slice has {settings.slice_examples} examples: none was looked at."
        return Finding("slices", True, {"slices": 0.0, "lost": 0.0}, words, examined=False)
    numbers = {"slices": float(len(tests)), "lost": float(len(lost))} | {name: gain for _, name, gain in tests}
    words = (
        f"Of {len(tests)} slices with at least {settings.slice_examples} examples, {len(lost)} are shown to have lost "
        f"more than {points(settings.max_slice_loss)[1:]} of {case.primary}"
        + (": " + ", ".join(lost) if lost else "")
        + "."
    )
    return Finding("slices", not lost, numbers, words)


def _negative_flips(case: Case) -> Finding:
    rule, pair, settings = "negative flips", case.pairs.get(OLD), case.settings
    if pair is None or not len(pair.champion):
        return Finding(rule, True, {}, "No old held-out example: negative flips were not counted.", examined=False)
    if not pair.champion.probabilities.shape[1] and not pair.champion.true.shape[1]:
        words = "Negative flips are not counted where answers are not classes."
        return Finding(rule, True, {}, words, examined=False)
    number, right = len(pair.champion), pair.champion.prediction == pair.champion.target
    flips = float((right & (pair.challenger.prediction != pair.challenger.target)).mean())
    allowed = settings.flips_allowance(number, float((~right).mean()))
    words = f"{flips:.1%} of {number} old answers were right and are now wrong; at most {allowed:.1%} may be."
    return Finding(rule, flips <= allowed, {"share": flips, "allowed": allowed}, words)


def _calibration(case: Case) -> Finding:
    """It refuses a rise above the allowance that is beyond noise; the fewer examples, the more of it must be shown.

    Where classes have come, it looks at what both know: old classes have less to be sure with, which is no harm.
    """
    settings = case.settings
    numbers: dict[str, float] = {}
    worse: list[str] = []
    pairs = {name: pair.among_known() for name, pair in case.pairs.items()}
    for name, pair in pairs.items():
        if not len(pair.champion):
            continue
        enough = settings.enough_old if name == OLD else settings.enough_new
        shown = 1 - 1 / noise_of(max(1, len(pair.champion)), enough)
        for metric, allowed in (("nll", settings.max_nll_rise), ("ece", settings.max_ece_rise)):
            gain, values = paired_change(METRICS[metric], pair.challenger, pair.champion)
            if not len(values) or np.isnan(gain):
                continue
            numbers[f"{name}/{metric}"] = -gain
            if -gain > allowed and float(-np.quantile(values, settings.confidence)) > shown * allowed:
                worse.append(f"{metric} on {name} rose by {-gain:.3f} (allowed {allowed:g})")
    if not numbers:
        words = "Calibration was not looked at: the answers hold no probabilities that can be compared."
        return Finding("calibration", True, {}, words, examined=False)
    words = "; ".join(worse) if worse else "Probabilities are as well calibrated as before, within the allowance."
    return Finding("calibration", not worse, numbers, words)


def _size(case: Case) -> Finding:
    facts, allowed = case.facts, case.settings.max_bytes_ratio
    if not facts.bytes or not facts.champion_bytes:
        return Finding("size", True, {}, "The size was not measured.", examined=False)
    ratio = facts.bytes / facts.champion_bytes
    words = f"It needs {ratio:.2f} × the champion's bytes; at most {allowed:.2f} × is allowed."
    numbers = {"bytes": float(facts.bytes), "ratio": ratio}
    return Finding("size", ratio <= allowed, numbers, words, shown=False)  # says nothing of the data


def _latency(case: Case) -> Finding:
    ratio, allowed = case.facts.latency_ratio, case.settings.max_latency_ratio
    if ratio is None:
        same = case.facts.bytes is not None and case.facts.bytes == case.facts.champion_bytes
        words = "The latency was not measured" + (": tops of one size run the same steps." if same else ".")
        return Finding("latency", True, {}, words, examined=False)
    words = f"It takes {ratio:.3f} × the champion's time; at most {allowed:.2f} × is allowed."
    return Finding("latency", ratio <= allowed, {"ratio": ratio}, words, shown=False)  # says nothing of the data


RULES: tuple[Callable[[Case], Finding], ...] = (
    _gain_on_new,
    _bound_on_old,
    _slices,
    _negative_flips,
    _calibration,
    _size,
    _latency,
)
