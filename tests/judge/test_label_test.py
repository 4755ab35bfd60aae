"""Flipped labels are told from honest ones, also where the champion is weak."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.gate import labels as bench
from freshtune.judge.label_test import LabelTest, examine_labels
from freshtune.model.answers import Answers
from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.heads.widening import widened
from freshtune.records import Example, Finding

DATA = Path(os.environ.get("FRESHTUNE_DATA", "../shared/data")) / "zh_online_shopping_10cats" / "reviews.csv.gz"
HEAD = Classes(("negative", "positive"))


def delta(labels: Sequence[str | float], task: str = "sentiment") -> list[Example]:
    return [Example(str(n), task, "文", label=label) for n, label in enumerate(labels)]


def domain(
    seed: int, number: int = 500, weakness: float = 1.0
) -> tuple[NDArray[np.int64], NDArray[np.float32], Answers]:
    """Truth, features, and a champion that reads a part of them and noise of its own."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, number)
    features = random.standard_normal((number, 20)) + 0.55 * (2 * truth[:, None] - 1) * (np.arange(20) < 10)
    logit = 0.8 * features[:, :3].sum(axis=1) + weakness * random.standard_normal(number)
    logits = (np.stack([-logit, logit], axis=1) / 2).astype(np.float32)
    return truth, features.astype(np.float32), HEAD.answers(logits)


def examined(head: Head, labels: Sequence[str | float], champion: Answers, features: NDArray[np.float32]) -> Finding:
    return examine_labels(delta(labels), head, champion, features, LabelTest())


@pytest.mark.parametrize("share", [0.2, 0.3, 0.4])
def test_flips_are_refused_and_a_weak_champion_alone_does_not_refuse(share: float) -> None:
    accuracies = []
    for seed in range(10):
        truth, features, champion = domain(seed)
        accuracies.append(float((champion.prediction == truth).mean()))
        clean = [HEAD.labels[place] for place in truth]
        assert examined(HEAD, clean, champion, features).passed
        poisoned = [HEAD.labels[place] for place in bench.flipped(truth, "both", share, seed)]
        finding = examined(HEAD, poisoned, champion, features)
        assert not finding.passed
        assert finding.rule == "labels"
        assert "too many" in finding.words
    assert np.mean(accuracies) < 0.88


def test_flips_of_one_class_are_refused_and_named() -> None:
    for seed in range(5):
        truth, features, champion = domain(seed)
        poisoned = [HEAD.labels[place] for place in bench.flipped(truth, "positive", 0.4, seed)]
        finding = examined(HEAD, poisoned, champion, features)
        assert not finding.passed
        assert "(positive)" in finding.words


@pytest.mark.parametrize("head", [Ordinal(1, 5), Score(0.0, 4.0)], ids=["ordinal", "score"])
def test_mirrored_grades_are_refused_on_ordered_scales(head: Ordinal | Score) -> None:
    for seed in range(5):
        random = np.random.default_rng(seed)
        stars = random.integers(0, 5, 500)
        features = (stars[:, None] - 2 + random.standard_normal((500, 12))).astype(np.float32)
        score = np.clip(stars + 0.8 * random.standard_normal(500), 0, 4).astype(np.float32) + np.float32(head.lowest)
        champion = Answers(np.rint(score), score, np.empty((500, 0), np.float32))
        clean = [float(star + head.lowest) for star in stars]
        assert examined(head, clean, champion, features).passed
        flipped = random.random(500) < 0.3
        mirrored = [
            head.highest - (star - head.lowest) if flip else star for star, flip in zip(clean, flipped, strict=True)
        ]
        assert not examined(head, mirrored, champion, features).passed


def test_too_few_labels_unlabelled_and_unknown_classes_are_said_not_crashed() -> None:
    truth, features, champion = domain(0, 40)
    finding = examined(HEAD, [HEAD.labels[place] for place in truth], champion, features)
    assert finding.passed
    assert "too few" in finding.words
    truth, features, champion = domain(0, 200)
    mixed = [
        Example(str(n), "sentiment", "x", label=None if n % 5 == 0 else "neutral" if n % 5 == 1 else HEAD.labels[place])
        for n, place in enumerate(truth)
    ]
    finding = examine_labels(mixed, HEAD, champion, features, LabelTest())
    assert finding.numbers["labels"] == 120
    one_class = examine_labels(delta(["positive"] * 200), HEAD, champion, features, LabelTest())
    assert "too few" in one_class.words


def test_without_features_the_champion_alone_still_sees_many_flips() -> None:
    truth, _, champion = domain(1, weakness=0.2)
    poisoned = [HEAD.labels[place] for place in bench.flipped(truth, "both", 0.4, 1)]
    finding = examine_labels(delta(poisoned), HEAD, champion, None, LabelTest())
    assert not finding.passed
    assert "own out-of-fold" not in finding.words


@pytest.mark.real
@pytest.mark.skipif(not DATA.exists(), reason="FRESHTUNE_DATA is absent")
def test_real_reviews_of_new_categories() -> None:
    reviews = {name: rows[:1_500] for name, rows in bench.read_reviews(DATA).items()}
    refused = bench.measure(reviews, bench.tfidf_encoder, 1)["refused"]
    assert isinstance(refused, dict)
    assert refused["two witnesses, both 0%"]["mean"] == 0
    for share in ("20%", "30%", "40%"):
        assert refused[f"two witnesses, both {share}"]["mean"] == 1


def arriving(seed: int, number: int = 600) -> tuple[NDArray[np.int64], NDArray[np.float32], Classes, Answers]:
    """Five classes, the last two unknown to the champion, which takes their texts for one of the others, surely."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((5, 20)) * 1.2
    truth = random.integers(0, 5, number)
    features = (centres[truth] + random.standard_normal((number, 20))).astype(np.float32)
    known = Classes(("a", "b", "c"))
    return truth, features, known, known.answers(4 * features @ centres[:3].T.astype(np.float32))


def of_grown(labels: Sequence[int], features: NDArray[np.float32], known: Classes, champion: Answers) -> Finding:
    head = known.grown(["d", "e"])
    wide = np.log(np.maximum(champion.probabilities, 1e-30))
    return examine_labels(
        delta([head.labels[place] for place in labels], "intent"), head, head.answers(widened(wide, 5)), features,
        LabelTest(),
    )  # fmt: skip


def test_new_classes_are_no_poison_and_hide_none() -> None:
    passed = caught = renamed = 0
    for seed in range(10):
        truth, features, known, champion = arriving(seed)
        passed += of_grown(truth.tolist(), features, known, champion).passed
        random = np.random.default_rng(seed)
        old, hit = truth < 3, random.random(len(truth)) < 0.35
        among_known = np.where(old & hit, (truth + 1) % 3, truth)
        caught += not of_grown(among_known.tolist(), features, known, champion).passed
        to_new = np.where(old & hit, 3 + random.integers(0, 2, len(truth)), truth)
        renamed += not of_grown(to_new.tolist(), features, known, champion).passed
    assert (passed, caught) == (10, 10)
    assert renamed == 10, "an old class that is called by a new name is seen too"


def test_a_delta_of_new_classes_alone_is_taken_as_given_and_says_so() -> None:
    truth, features, known, champion = arriving(1)
    rows = truth >= 3
    part = Answers(champion.prediction[rows], champion.score[rows], champion.probabilities[rows])
    finding = of_grown(truth[rows].tolist(), features[rows], known, part)
    assert finding.passed
    assert not finding.examined
    assert "does not know" in finding.words
