"""Baselines answer for every head, in Chinese and English, and refuse to start from too little."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from freshtune.errors import UsageError
from freshtune.judge.baselines import Majority, TfIdf
from freshtune.judge.evaluate import evaluate
from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.predictor import Input, Predictor
from freshtune.records import Example
from freshtune.tasks.rating import Rating
from freshtune.tasks.relevance import Relevance
from freshtune.tasks.sentiment import Sentiment
from tests.judge.models import review

GOOD, BAD = ("质量很好，喜欢", "great and sturdy", "物流快，满意"), ("太差了，退货", "broken, awful", "又贵又难用")


def reviews(number: int) -> list[Example]:
    texts = [
        (f"{GOOD[n // 2 % 3]} {n}", "positive") if n % 2 else (f"{BAD[n // 2 % 3]} {n}", "negative")
        for n in range(number)
    ]
    return [review(n, label, text) for n, (text, label) in enumerate(texts)]


def test_tfidf_learns_both_languages_and_majority_does_not() -> None:
    examples = [*reviews(90), review(900, "positive", "wow")]
    head = Sentiment().head()
    scores = [
        evaluate(model, Sentiment(), examples[:90], "old").metrics["accuracy"].value
        for model in (TfIdf.fit(examples, head), Majority.fit(examples, head))
    ]
    assert scores == [1.0, 0.5]


def test_majority_answers_with_the_class_shares() -> None:
    head = Classes(("a", "b", "c"))
    model = Majority.fit([review(n, "abb"[n % 3]) for n in range(60)], head)
    answers = head.answers(model.logits([Input("x"), Input("")]))
    np.testing.assert_allclose(answers.probabilities, [[1 / 3, 2 / 3, 0]] * 2, atol=1e-4)


def test_tuned_it_chooses_its_penalty_by_what_it_has_not_seen() -> None:
    """Where half the labels are noise, a weaker hold than the usual one is worse."""
    random = np.random.default_rng(0)
    honest = random.random(200) < 0.75
    noisy = [
        review(n, "positive" if (n % 2 == 1) == honest[n] else "negative", f"{'好' if n % 2 else '差'} {n}")
        for n in range(200)
    ]
    head = Sentiment().head()
    assert TfIdf.tuned(noisy, head).penalty < TfIdf.fit(noisy, head).penalty
    assert TfIdf.tuned(reviews(90), head).logits([]).shape == (0, 2)
    rare = [review(n, "positive" if n else "negative") for n in range(60)]  # two folds have no second class to learn
    assert TfIdf.tuned(rare, head).logits([Input("好")]).shape == (1, 2)


@pytest.mark.parametrize("fit", [Majority.fit, TfIdf.fit, TfIdf.tuned], ids=["majority", "tfidf", "tuned"])
def test_stars_and_grades(fit: Callable[[Sequence[Example], Head], Predictor]) -> None:
    stars = [Example(str(n), "rating", f"{'好' * (n % 5 + 1)} ok", label=n % 5 + 1) for n in range(100)]
    model = fit(stars, Ordinal(1, 5))
    card = evaluate(model, Rating(), stars, "old")
    assert card.metrics["quadratic_kappa"].value > (-0.01 if fit == Majority.fit else 0.9)
    pairs = [
        Example(
            str(n), "relevance", f"红色手机壳 {n // 3}", pair=["红色手机壳", "手机", "banana"][n % 3], label=2.0 - n % 3
        )
        for n in range(90)
    ]
    model = fit(pairs, Score(0, 2))
    card = evaluate(model, Relevance(), pairs, "old")
    assert card.metrics["mae"].value < (0.3 if fit == TfIdf.fit else 0.8)


def test_few_labels_and_one_class_are_refused_with_the_mend() -> None:
    for fit in (Majority.fit, TfIdf.fit):
        with pytest.raises(UsageError, match="49 labelled") as few:
            fit(reviews(49), Sentiment().head())
        assert "Ingest" in few.value.mend
        with pytest.raises(UsageError, match="same label"):
            fit([review(n, "positive") for n in range(60)], Sentiment().head())


def test_a_class_unseen_in_training_empty_texts_and_no_inputs() -> None:
    head = Classes(("negative", "positive", "neutral"))
    model = TfIdf.fit([*reviews(60), review(99, "positive", " ")], head)
    answers = head.answers(model.logits([Input(""), Input("😡!!!"), Input("\u2028")]))
    assert np.isfinite(answers.probabilities).all()
    assert (answers.probabilities[:, 2] < 1e-4).all()
    assert model.logits([]).shape == (0, 3)
