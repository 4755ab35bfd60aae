"""Can the labels of a delta be trusted? Its held-out labels come from the same hands, so no scorecard can tell.

Two witnesses that do not know each other speak about each label: the champion, trained on other data, and a small
linear model of the delta itself over frozen features, asked about what it was not fitted to. Where both are sure of the
same class, a true label seldom contradicts them, even in a new domain in which the champion alone is weak: there the
delta's own model disagrees with it, and the example is not counted. A flipped label contradicts both. So the share of
contradictions among the surer half of what they agree on estimates the share of flips, over all classes and within each
(flips of one class only). Source: confident learning, Northcutt et al., 2021, with the champion as the second witness.

A class that the champion does not know is never what it says: where the delta's own model tells that class, the two
disagree and the example is not counted. A text of an old class under a new name contradicts both.

Ordered scales are read as two classes, above and below the middle; labels at the middle are left out. Of several names
each that both witnesses are sure of is asked about alone: a label that lacks it contradicts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from freshtune.judge.left_out import left_out_probabilities, left_out_values
from freshtune.judge.outcome_table import Floats
from freshtune.model.answers import Answers
from freshtune.model.heads import Head, OneAnswer
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.records import Example, Finding, names_of

RULE = "labels"
_TOO_FEW = 20
_SAID = 0.5


@dataclass(frozen=True)
class LabelTest:
    """Settings of the test.

    Attributes:
        usual_contradictions: share that clean labels reach through honest mistakes.
        max_contradictions: share above which a delta is refused, if it is also beyond chance of the usual one.
        max_class_contradictions: the same within one class, where fewer examples speak and honest mistakes gather.
        significance: chance at which the usual share would give so many, for all classes together (Bonferroni).
        surer_share: part of the agreed examples of a class that is looked at, surest first.
        least_labels: an update waits for so many labels that the test can look at: not of one class alone, not at the
            middle of a scale. 0 learns whatever comes; what cannot be tested is then taken as given.
    """

    usual_contradictions: Annotated[float, Field(gt=0, lt=1)] = 0.06
    max_contradictions: Annotated[float, Field(ge=0, le=1)] = 0.12
    max_class_contradictions: Annotated[float, Field(ge=0, le=1)] = 0.18
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.02
    surer_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    least_labels: Annotated[int, Field(ge=0)] = 80


def usable_labels(delta: Sequence[Example], head: Head) -> int:
    """How many labels of a delta the test can look at; 0 where they are all on one side.

    >>> from freshtune.model.heads.ordinal import Ordinal
    >>> stars = [Example(str(label), "rating", "", label=label) for label in (1, 3, 5, 5)]
    >>> usable_labels(stars, Ordinal(1, 5)), usable_labels(stars[2:], Ordinal(1, 5))
    (3, 0)
    """
    labelled = [example for example in delta if example.label is not None]
    if not isinstance(head, OneAnswer):
        return len(labelled) if len({example.label for example in labelled}) > 1 else 0
    side = _sides(head, np.array([_number(head, example) for example in labelled]))
    side = side[side >= 0]
    return len(side) if len(np.unique(side)) > 1 else 0


def examine_labels(
    delta: Sequence[Example],
    head: Head,
    champion: Answers,
    features: NDArray[np.float32] | None,
    settings: LabelTest,
) -> Finding:
    """Test the labels of a delta, training and held-out side together.

    Args:
        delta: ``n`` examples; those without a label are passed over.
        head: reads the labels.
        champion: its answers to the same ``n`` examples, probability 0 for classes of the head that it does not know.
        features: float32 ``[n, width]`` that do not depend on the delta's labels, such as pooled trunk output; None
            leaves the champion as the only witness, and only contradictions above twice the allowance then refuse.
        settings: thresholds.

    Returns:
        The finding; its numbers hold ``contradictions`` overall and of each class, and how many examples they rest on.
    """
    rows = np.array([row for row, example in enumerate(delta) if example.label is not None], np.int64)
    if not isinstance(head, OneAnswer):
        return _names_examined(delta, rows, head, champion, features, settings)
    numbers = np.array([_number(head, delta[row]) for row in rows])
    side, witness, names = _classes(head, numbers, champion, rows)
    kept = side >= 0
    rows, side, witness = rows[kept], side[kept], witness[kept]
    classes = len(np.unique(side))
    if len(rows) < max(settings.least_labels, _TOO_FEW) or classes < 2:
        return _untested(len(rows), f"{len(rows)} usable labels of {classes} classes are too few to test")
    own = witness if features is None else left_out_probabilities(features[rows], side, witness.shape[1])
    looked_at = _surer_agreements(witness, own, settings.surer_share)
    named = witness.argmax(axis=1)[looked_at]
    return _finding(len(rows), side[looked_at] != named, named, names, features is None, settings, looked_at)


def _names_examined(
    delta: Sequence[Example],
    rows: NDArray[np.int64],
    head: Head,
    champion: Answers,
    features: NDArray[np.float32] | None,
    settings: LabelTest,
) -> Finding:
    """The test of labels that are several names each."""
    held = [names_of(delta[row].label) for row in rows]
    if len(rows) < max(settings.least_labels, _TOO_FEW) or len(set(held)) < 2:
        return _untested(len(rows), f"{len(rows)} labels of {len(set(held))} kinds are too few to test")
    names = head.columns(head.outputs)
    holds = np.array([[name in label for name in names] for label in held])
    witness = champion.probabilities[rows].astype(np.float64)
    own = witness if features is None else left_out_values(features[rows], holds.astype(np.float64))
    contradicted: list[NDArray[np.bool_]] = []
    named: list[int] = []
    asked: list[NDArray[np.int64]] = []
    for place in range(len(names)):
        sure = np.flatnonzero((witness[:, place] > _SAID) & (own[:, place] > _SAID))
        surest = np.argsort(-(witness[sure, place] + own[sure, place]), kind="stable")
        looked_at = sure[surest[: int(np.ceil(settings.surer_share * len(sure)))]]
        contradicted.append(~holds[looked_at, place])
        named += [place] * len(looked_at)
        asked.append(looked_at)
    wrong, places = np.concatenate(contradicted), np.array(named, np.int64)
    return _finding(len(rows), wrong, places, names, features is None, settings, np.concatenate(asked))


def _untested(labels: int, why: str) -> Finding:
    return Finding(RULE, True, {"labels": float(labels)}, f"{why}; they are taken as given.", examined=False)


def _number(head: OneAnswer, example: Example) -> float:
    try:
        return float("nan") if example.label is None else head.number(example.label)
    except ValueError:
        return float("nan")  # none of the head's: it says nothing


def _classes(
    head: OneAnswer, numbers: Floats, champion: Answers, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Floats, tuple[str, ...]]:
    """Labels as class numbers (-1: not used), the champion's probabilities of them, and the names of the classes."""
    side = _sides(head, numbers)
    if isinstance(head, Ordinal | Score):
        middle, half = (head.lowest + head.highest) / 2, (head.highest - head.lowest) / 2
        above = np.clip(0.5 + (champion.score[rows].astype(np.float64) - middle) / (2 * half), 0.0, 1.0)
        return side, np.stack([1 - above, above], axis=1), ("below the middle", "above the middle")
    side = np.where(side < champion.probabilities.shape[1], side, -1)
    names = head.columns(head.outputs)
    return side, champion.probabilities[rows].astype(np.float64), names


def _sides(head: Head, numbers: Floats) -> NDArray[np.int64]:
    """Labels, as the head's numbers (NaN: none of its), as class numbers; -1 where they say nothing."""
    if isinstance(head, Ordinal | Score):
        middle = (head.lowest + head.highest) / 2
        return np.where(np.isnan(numbers) | (numbers == middle), -1, numbers > middle).astype(np.int64)
    return np.where(np.isnan(numbers), -1, numbers).astype(np.int64)


def _surer_agreements(witness: Floats, own: Floats, share: float) -> NDArray[np.int64]:
    """Rows on which both witnesses name the same class: of each class the surer share."""
    agreed = witness.argmax(axis=1) == own.argmax(axis=1)
    chosen = []
    for place in range(witness.shape[1]):
        rows = np.flatnonzero(agreed & (witness.argmax(axis=1) == place))
        surest = np.argsort(-(witness[rows, place] + own[rows, place]), kind="stable")
        chosen.append(rows[surest[: int(np.ceil(share * len(rows)))]])
    return np.concatenate(chosen)


def _chance(number: int, contradictions: int, usual: float) -> float:
    """P(at least so many of ``number`` | each with the usual share), exact."""
    from scipy.special import bdtrc

    return float(bdtrc(contradictions - 1, number, usual)) if contradictions else 1.0


def _finding(
    labels: int,
    wrong: NDArray[np.bool_],
    named: NDArray[np.int64],
    names: tuple[str, ...],
    alone: bool,
    settings: LabelTest,
    rows: NDArray[np.int64],
) -> Finding:
    """What the labels that were looked at come to.

    Args:
        labels: how many there were to choose from.
        wrong: of each that is looked at, whether it contradicts the witnesses.
        named: the place in ``names`` of what the witnesses say there.
        rows: of which example each is; one that is looked at for several names counts once among all.
    """
    if not len(wrong):
        return _untested(
            labels,
            "No label could be tested: the witnesses agree on none, as where all are of classes that the champion does "
            "not know",
        )
    groups = {"all": np.ones(len(wrong), np.bool_)}
    groups |= {names[place]: named == place for place in np.unique(named).tolist()}
    factor = 2.0 if alone else 1.0
    looked_at = len(np.unique(rows))
    numbers = {"labels": float(labels), "looked_at": float(looked_at)}
    suspicious: list[str] = []
    for name, members in groups.items():
        count, bad = int(members.sum()), int(wrong[members].sum())
        if name == "all":
            count, bad = looked_at, len(np.unique(rows[wrong]))
        numbers[f"contradictions/{name}"] = share = bad / count if count else 0.0
        beyond = _chance(count, bad, factor * settings.usual_contradictions) < settings.significance / len(groups)
        allowed = settings.max_contradictions if name == "all" else settings.max_class_contradictions
        if share > factor * allowed and beyond:
            suspicious.append(f"{bad} of {count} ({name})")
    witnesses = "the champion" if alone else "the champion and a model of the delta's other examples"
    words = (
        f"Where {witnesses} are surest, labels contradict them in {numbers['contradictions/all']:.1%} of {looked_at}"
    )
    if suspicious:
        words += ": too many, " + ", ".join(suspicious)
        words += (
            f"; {factor * settings.max_contradictions:.0%} may be, {factor * settings.max_class_contradictions:.0%}"
        )
        words += " of one class"
    return Finding(RULE, not suspicious, numbers, words + ".")
