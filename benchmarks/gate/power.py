"""How often does the bound on old refuse a challenger, by what truly changed, examples, and share answered differently?

A TF-IDF champion and 60 challengers made from it, with more or less memory, averaging and noise, answer the 14,000
held-out reviews of the champion's three categories; what truly changed is taken from all of them.

``real``: samples of these reviews are drawn for challengers whose accuracy truly changed by about 0 to −5 points.
``planted``: reviews are drawn in four cells (both right, gained, lost, both wrong) so that accuracy changes by
exactly the stated amount while all other answers stay as sure as they were. None of the challengers forgets like
that; it is the hardest case for smoothing, which then sees only a part of the loss. Bounds are normal ones, which
agree with the bootstrap for these sizes; the exact one is conditional on the answers that differ (Jeffreys, close to
mid-p).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.gate.labels import Reviews
from freshtune.judge.case import Gate

Floats = NDArray[np.float64]
CHANGES = (0.0, 0.005, -0.01, -0.02, -0.03, -0.05)
SIZES = (78, 150, 300, 450, 600, 2_000)
DIFFERENT = (0.02, 0.04, 0.06)
REPEATS = 1_000
CHALLENGERS = 60
Votes = tuple[bool, bool, bool, bool, bool]
TRUE = {"0": (-0.25, 0.25), "-1": (-1.3, -0.7), "-2": (-2.5, -1.6), "-3": (-3.5, -2.5), "-5": (-5.7, -4.3)}


class Margins(NamedTuple):
    """P(truth) − P(other) of each review, float64 ``[n]`` for the champion and ``[challengers, n]``."""

    champion: Floats
    challengers: Floats


def margins(reviews: Reviews) -> Margins:
    """Train the champion and its challengers, and ask them for the held-out reviews of its categories."""
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    names = list(reviews)
    base = [row for name in names[:3] for row in reviews[name][:500]]
    later = [reviews[name][number] for number in range(500) for name in names[6:10]]
    held_out = [row for name in names[:3] for row in reviews[name][500:]]
    counts = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    old, y_old = counts.fit_transform([text for text, _ in base]), np.array([label for _, label in base])
    new, y_new = counts.transform([text for text, _ in later]), np.array([label for _, label in later])
    asked, sign = counts.transform([text for text, _ in held_out]), np.array([2 * label - 1 for _, label in held_out])
    champion = LogisticRegression(C=10.0, max_iter=500).fit(old, y_old)
    random = np.random.default_rng(0)
    rows = []
    for _ in range(CHALLENGERS):
        kept, number = random.choice([0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0]), random.choice([300, 500, 1_000, 2_000])
        noise, average = random.choice([0.0, 0.0, 0.1, 0.2]), random.choice([0.0, 0.2, 0.4, 0.6])
        chosen = random.choice(len(y_old), int(kept * len(y_old)), replace=False)
        labels = np.where(random.random(number) < noise, 1 - y_new[:number], y_new[:number])
        model = LogisticRegression(C=10.0, max_iter=500)
        model.fit(vstack([old[chosen], new[:number]]), np.concatenate([y_old[chosen], labels]))
        logit = (1 - average) * model.decision_function(asked) + average * champion.decision_function(asked)
        rows.append(np.tanh(logit / 2) * sign)
    return Margins(np.tanh(champion.decision_function(asked) / 2) * sign, np.stack(rows))


def smoothed(margin: Floats, width: float) -> Floats:
    """Credit of SmoothedAccuracy."""
    return np.clip(0.5 + margin / (2 * width), 0.0, 1.0)


def control_variate(told: Margins) -> float:
    """Share of the variance of the paired differences that the models' mean probability explains; median challenger."""
    shares = []
    for challenger in told.challengers:
        plain = (challenger > 0).astype(np.float64) - (told.champion > 0)
        expected = np.where(plain != 0, (np.abs(challenger) - np.abs(told.champion)) / 2, 0.0)
        shares.append(float(np.corrcoef(plain, expected)[0, 1] ** 2))
    return round(float(np.median(shares)), 3)


def real(told: Margins, settings: Gate, samples: int = 200) -> list[dict[str, float | str]]:
    """Share of refused samples of real challengers, by size and by what they truly changed."""
    lines: list[dict[str, float | str]] = []
    for number in SIZES:
        random = np.random.default_rng(number)
        for about, (low, high) in TRUE.items():
            votes, changes, different = [], [], []
            for challenger in told.challengers:
                plain = (challenger > 0).astype(np.float64) - (told.champion > 0)
                soft = smoothed(challenger, settings.tie_margin) - smoothed(told.champion, settings.tie_margin)
                if not low < 100 * plain.mean() < high:
                    continue
                changes.append([100 * plain.mean(), 100 * soft.mean()])
                different.append(float((plain != 0).mean()))
                for _ in range(samples):
                    rows = random.integers(0, len(plain), number)
                    votes.append(_refused(plain[rows], soft[rows], settings))
            mean_change = np.mean(changes, axis=0)
            line: dict[str, float | str] = {"examples": number, "change": about, "challengers": len(changes)}
            line["different"] = round(float(np.mean(different)), 3)
            line["true_change"], line["true_smoothed_change"] = (round(float(value), 2) for value in mean_change)
            lines.append({**line, **_shares(votes)})
    return lines


def _shares(votes: list[Votes]) -> dict[str, float]:
    keys = ("plain", "exact", "smoothed", "smoothed_and_observed", "strict")
    return {key: round(float(vote), 3) for key, vote in zip(keys, np.mean(votes, axis=0), strict=True)}


def planted(told: Margins, settings: Gate) -> list[dict[str, float]]:
    """Share of refused samples for each size, share of different answers and planted change."""
    low, high = TRUE["0"]
    drift = 100 * ((told.challengers > 0).mean(axis=1) - (told.champion > 0).mean())
    level = told.challengers[(low < drift) & (drift < high)]
    champion, challenger = np.tile(told.champion, len(level)), level.ravel()
    cell = 2 * (champion > 0) + (challenger > 0)  # 0 both wrong, 1 gained, 2 lost, 3 both right
    plain = (challenger > 0).astype(np.float64) - (champion > 0)
    soft = smoothed(challenger, settings.tie_margin) - smoothed(champion, settings.tie_margin)
    members = [np.flatnonzero(cell == place) for place in range(4)]
    wrong = len(members[0]) / (len(members[0]) + len(members[3]))
    lines = []
    for number in SIZES:
        for different in DIFFERENT:
            for change in CHANGES:
                random = np.random.default_rng(int(1e6 * different) + number + int(1e5 * (change + 1)))
                moved = ((different + change) / 2, (different - change) / 2)
                shares = [(1 - different) * wrong, *moved, (1 - different) * (1 - wrong)]
                if min(shares) < 0:
                    continue
                counts = random.multinomial(number, shares, size=REPEATS)
                votes = []
                for row in counts:
                    drawn = zip(members, row, strict=True)
                    rows = np.concatenate([random.choice(among, count) for among, count in drawn])
                    votes.append(_refused(plain[rows], soft[rows], settings))
                lines.append({"examples": number, "different": different, "change": 100 * change} | _shares(votes))
    return lines


def _refused(plain: Floats, soft: Floats, settings: Gate) -> Votes:
    """Whether each of five bounds refuses one sample of paired differences; ``strict`` holds for ``enough_old = 1``."""
    from scipy.special import betaincinv

    number, gained, lost = len(plain), int((plain > 0).sum()), int((plain < 0).sum())
    allowance, strict = settings.old_allowance(number), settings.max_old_loss

    def bound(values: Floats) -> float:
        return float(values.mean() - 1.645 * values.std() / number**0.5)

    won = betaincinv(gained + 0.5, lost + 0.5, 0.05)
    exact = bool((gained + lost) / number * (2 * won - 1) <= -allowance)
    observed, smooth = float(plain.mean()), bound(soft)
    both = min(observed, smooth)
    return bound(plain) <= -allowance, exact, smooth <= -allowance, both <= -allowance, both <= -strict
