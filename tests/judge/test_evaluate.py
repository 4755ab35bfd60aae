"""Scorecards: true labels only, every outcome kept, nothing crashes on little."""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from freshtune.errors import FreshtuneError, UsageError
from freshtune.judge.case import paired
from freshtune.judge.evaluate import evaluate
from freshtune.model.heads.classes import Classes
from freshtune.record_json import dumps, loads
from freshtune.records import Example, Provenance, Scorecard, Source
from freshtune.tasks.rating import Rating
from freshtune.tasks.relevance import Relevance
from freshtune.tasks.sentiment import Sentiment
from tests.judge.models import Told, review

HEAD = Sentiment().head()


def test_scorecard_has_metrics_slices_and_every_outcome() -> None:
    texts = {"好": (0.0, 3.0), "bad": (3.0, 0.0), "一般": (0.0, 0.1), "meh": (1.0, 0.0)}
    labels = ["positive", "negative", "negative", "negative"]
    held_out = [
        review(number, label, text, "手机" if number < 2 else "books")
        for number, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    card = evaluate(Told(HEAD, dict(texts)), Sentiment(), held_out, "old")
    assert (card.held_out, card.examples) == ("old", 4)
    assert tuple(card.metrics) == Sentiment().metrics
    assert card.metrics["accuracy"].value == 0.75
    assert card.slices == {"手机": {"examples": 2, "accuracy": 1}, "books": {"examples": 2, "accuracy": 0.5}}
    assert [outcome.id for outcome in card.outcomes] == ["r0", "r1", "r2", "r3"]
    assert [outcome.prediction for outcome in card.outcomes] == [1, 0, 1, 0]
    assert {outcome.group for outcome in card.outcomes} == {""}
    assert loads(Scorecard, dumps(card)) == card


@pytest.mark.parametrize("source", ["pseudo", "generated", "rule", "augmented"])
def test_made_up_labels_are_refused(source: str) -> None:
    example = Example("a", "sentiment", "x", label="positive", provenance=Provenance(cast("Source", source)))
    with pytest.raises(UsageError, match=source):
        evaluate(Told(HEAD, {"x": (0, 1)}), Sentiment(), [example], "new")


@pytest.mark.parametrize("source", ["human", "behaviour"])
def test_true_labels_are_taken_and_unlabelled_passed_over(source: str) -> None:
    example = Example("a", "sentiment", "x", label="positive", provenance=Provenance(cast("Source", source)))
    card = evaluate(Told(HEAD, {"x": (0, 1)}), Sentiment(), [example, review(1, None)], "new")
    assert card.examples == 1


@pytest.mark.parametrize("task", [Sentiment(), Rating(), Relevance()], ids=lambda task: task.name)
def test_empty_set_gives_nan_and_survives_json(task: Sentiment | Rating | Relevance) -> None:
    card = evaluate(Told(task.head(), {}), task, [], "new")
    assert card.examples == 0
    assert all(math.isnan(estimate.value) for estimate in card.metrics.values())
    assert b"NaN" not in dumps(card)
    assert loads(Scorecard, dumps(card)).outcomes == ()


def test_single_class_and_one_query() -> None:
    card = evaluate(Told(HEAD, {"text 0": (0, 1)}), Sentiment(), [review(0, "positive")], "new")
    assert card.metrics["balanced_accuracy"].value == 1
    pairs = [
        Example(str(place), "relevance", "手机壳", pair=f"title {place}", label=grade, split_key="手机壳")
        for place, grade in enumerate([2.0, 0.0, 1.0])
    ]
    card = evaluate(Told(Relevance().head(), {"手机壳": (0.3,)}), Relevance(), pairs, "new")
    assert {outcome.group for outcome in card.outcomes} == {"手机壳"}
    assert card.metrics["mrr"].value == pytest.approx(1 / 3)  # equal scores fall back to falling ids: 2, 1, 0
    nothing = [Example("a", "relevance", "手机壳", pair="x", label=0.0, split_key="手机壳")]
    card = evaluate(Told(Relevance().head(), {"手机壳": (0.3,)}), Relevance(), nothing, "new")
    assert math.isnan(card.metrics["ndcg_at_10"].value)
    assert card.metrics["mae"].value > 0


def test_champion_without_the_new_class_is_judged_wrong_not_crashed() -> None:
    task = Sentiment(("negative", "positive", "neutral"))
    old = Told(Classes(("negative", "positive")), {"text 0": (0.0, 1.0)})
    card = evaluate(old, task, [review(0, "neutral")], "new")
    assert card.outcomes[0].target == 2
    assert card.metrics["accuracy"].value == 0


def test_classes_count_by_their_names_whatever_their_order_in_the_model() -> None:
    task = Sentiment(("negative", "positive", "neutral"))
    examples = [review(0, "negative"), review(1, "positive"), review(2, "neutral")]
    sure: dict[str, Sequence[float]] = {f"text {place}": [4.0 * (at == place) for at in range(3)] for place in range(3)}
    cards = [evaluate(Told(task.head(), sure), task, examples, "new")]
    turned = Classes(("neutral", "gone", "negative", "positive"))
    told: dict[str, Sequence[float]] = {text: (said[2], -30.0, said[0], said[1]) for text, said in sure.items()}
    cards.append(evaluate(Told(turned, told), task, examples, "new"))
    for one, other in zip(*(card.outcomes for card in cards), strict=True):
        assert (one.target, one.prediction) == (other.target, other.prediction)
        assert other.probabilities[:3] == pytest.approx(one.probabilities)
    assert cards[1].metrics["accuracy"].value == 1
    assert len(paired(*cards).champion) == 3


def test_a_diverged_model_and_a_doubled_example_are_told() -> None:
    with pytest.raises(FreshtuneError, match="cannot be judged"):
        evaluate(Told(HEAD, {"text 0": (np.nan, 1)}), Sentiment(), [review(0, "positive")], "new")
    with pytest.raises(UsageError, match="twice"):
        evaluate(Told(HEAD, {"text 0": (0, 1)}), Sentiment(), [review(0, "positive")] * 2, "new")
