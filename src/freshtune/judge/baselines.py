"""What a first release must beat: the majority class, and words counted the cheap way."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freshtune.errors import UsageError
from freshtune.model.heads import Head, OneAnswer
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.several import Several
from freshtune.model.predictor import Input
from freshtune.records import Example, Label, names_of

LEAST_LABELS = 50
_LEAST_PROBABILITY = 1e-6
_PENALTY = 10.0
_PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
_FOLDS = 3
_MANY = 200
"""Answers from which on a penalty is not searched for."""
_WORD = r"\w+|[^\w\s]+"  # a run of letters, or of punctuation: 😡 and !!! tell much about a review


def require_enough_labels(examples: Sequence[Example], head: Head) -> None:
    """Refuse to start from too little.

    Raises:
        UsageError: fewer than 50 labels, or all of them the same.
    """
    labels = [example.label for example in examples if example.label is not None]
    if isinstance(head, OneAnswer):
        labels = [head.name(head.number(label)) for label in labels]
    if len(labels) < LEAST_LABELS:
        raise UsageError(
            f"a first release cannot be made from {len(labels)} labelled examples",
            f"at least {LEAST_LABELS} are needed",
            "Ingest more labelled events, then train again.",
        )
    if len(set(labels)) < 2:
        raise UsageError(
            f"a first release cannot be made from {len(labels)} labelled examples",
            f"all have the same label, {_shown(labels[0])}, and one class can teach nothing",
            "Ingest examples of a second class; check the label column and the label map.",
        )


def _shown(label: Label) -> str:
    return ", ".join(map(repr, names_of(label))) or repr(label)


def _probabilities_to_logits(probabilities: NDArray[np.float64], head: Head) -> NDArray[np.float32]:
    """The logits from which a head reads these probabilities, one a class, step of the scale or name."""
    if isinstance(head, Several):
        chance = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        return np.log(chance / (1 - chance)).astype(np.float32)
    kept = np.clip(probabilities, _LEAST_PROBABILITY, 1.0)
    kept /= kept.sum(axis=1, keepdims=True)
    if isinstance(head, Ordinal):
        above = np.clip(1 - np.cumsum(kept, axis=1)[:, :-1], _LEAST_PROBABILITY / 2, 1 - _LEAST_PROBABILITY / 2)
        return np.log(above / (1 - above)).astype(np.float32)
    return np.log(kept).astype(np.float32)


def _classes_of(head: Head) -> int:
    return head.outputs + 1 if isinstance(head, Ordinal) else head.outputs


def _first_of(head: Head) -> int:
    return head.lowest if isinstance(head, Ordinal) else 0


def _labelled(examples: Sequence[Example], head: Head) -> tuple[list[Input], NDArray[np.float64], NDArray[np.float64]]:
    """Inputs, labels as numbers, of several names as a row of 0 and 1, and weights."""
    require_enough_labels(examples, head)
    known = [(example, example.label) for example in examples if example.label is not None]
    inputs = [Input(example.text, example.pair) for example, _ in known]
    read = head.number if isinstance(head, OneAnswer) else head.target
    labels = np.array([read(label) for _, label in known])
    return inputs, labels, np.array([example.weight for example, _ in known])


@dataclass(frozen=True)
class Majority:
    """The same answer to everything: how often each class occurs; the mean grade for scores. A Predictor."""

    head: Head
    answer: NDArray[np.float32]

    @classmethod
    def fit(cls, examples: Sequence[Example], head: Head) -> "Majority":
        """Count the labels.

        Raises:
            UsageError: fewer than 50 labels or two classes.
        """
        _, labels, weights = _labelled(examples, head)
        if isinstance(head, Several):
            return cls(head, _probabilities_to_logits(np.average(labels, axis=0, weights=weights)[None], head)[0])
        if isinstance(head, Classes | Ordinal):
            places = labels.astype(np.int64) - _first_of(head)
            counts = np.bincount(places, weights=weights, minlength=_classes_of(head))
            return cls(head, _probabilities_to_logits((counts / counts.sum())[None], head)[0])
        return cls(head, _grades_to_logits(np.average(labels, weights=weights, keepdims=True), head)[0])

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        return np.tile(self.answer, (len(inputs), 1))


def _grades_to_logits(grades: NDArray[np.float64], head: Head) -> NDArray[np.float32]:
    """Logits ``[n, 1]`` whose sigmoid, stretched over the scale, is the grade."""
    lowest, highest = head.answers(np.array([[-30.0], [30.0]], np.float32)).score.tolist()
    place = np.clip((grades - lowest) / (highest - lowest), 1e-4, 1 - 1e-4)
    logits: NDArray[np.float64] = np.log(place / (1 - place))
    return logits[:, None].astype(np.float32)


@dataclass(frozen=True)
class TfIdf:
    """Character 1- to 3-grams (so that Chinese needs no word breaks) and words, then a linear model. A Predictor.

    Classes, stars and each of several names by logistic regression, scores by ridge regression. A pair of texts adds
    the n-grams they share.

    Attributes:
        penalty: C of the logistic regressions, 1 / alpha of the ridge.
    """

    head: Head
    characters: Any
    words: Any
    model: Any
    penalty: float

    @classmethod
    def fit(cls, examples: Sequence[Example], head: Head) -> "TfIdf":
        """Fit on labelled examples, with what serves reviews well: seconds, for a gate.

        Raises:
            UsageError: fewer than 50 labels or two classes.
        """
        inputs, labels, weights = _labelled(examples, head)
        characters, words = _vectorizers(inputs, longest=3)
        columns = _columns(inputs, characters, words)
        return cls(head, characters, words, _linear(head, columns, labels, weights, _PENALTY), _PENALTY)

    @classmethod
    def tuned(cls, examples: Sequence[Example], head: Head) -> "TfIdf":
        """The same as well as it can be: 1- to 5-grams, and up to 200 answers the penalty that three folds like best.

        Raises:
            UsageError: fewer than 50 labels or two classes.
        """
        inputs, labels, weights = _labelled(examples, head)
        characters, words = _vectorizers(inputs, longest=5)
        columns = _columns(inputs, characters, words)
        fold = np.random.default_rng(0).permutation(len(labels)) % _FOLDS
        tried = _PENALTIES if head.outputs <= _MANY else (_PENALTY,)  # a model a name, fold and penalty takes hours
        lost = dict.fromkeys(tried, 0.0)
        for penalty in tried if len(tried) > 1 else ():
            for place in range(_FOLDS):
                learned, asked = np.flatnonzero(fold != place), np.flatnonzero(fold == place)
                if not _can_be_told_apart(labels[learned]):
                    continue
                model = _linear(head, columns[learned], labels[learned], weights[learned], penalty)
                lost[penalty] += _loss(head, model, columns[asked], labels[asked])
        best = min(tried, key=lambda penalty: lost[penalty])
        return cls(head, characters, words, _linear(head, columns, labels, weights, best), best)

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        if not inputs:
            return np.empty((0, self.head.outputs), np.float32)
        columns = _columns(inputs, self.characters, self.words)
        if isinstance(self.head, Several):
            return _probabilities_to_logits(self.model.predict_proba(columns), self.head)
        if not isinstance(self.head, Classes | Ordinal):
            return _grades_to_logits(self.model.predict(columns), self.head)
        probabilities = np.zeros((len(inputs), _classes_of(self.head)))
        probabilities[:, self.model.classes_ - _first_of(self.head)] = self.model.predict_proba(columns)
        return _probabilities_to_logits(probabilities, self.head)


def _vectorizers(inputs: Sequence[Input], longest: int) -> tuple[Any, Any]:
    """Counters of character n-grams and of words, fitted."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [_joined(one) for one in inputs]
    most = 200_000 if longest <= 3 else 500_000
    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, longest), sublinear_tf=True, max_features=most)
    words = TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True, max_features=100_000)
    return characters.fit([text or " " for text in texts]), words.fit([*texts, "."])


def _linear(head: Head, columns: Any, labels: NDArray[np.float64], weights: NDArray[np.float64], penalty: float) -> Any:
    """The linear model of a head's labels."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    if isinstance(head, Classes | Ordinal):
        return LogisticRegression(C=penalty, max_iter=1_000).fit(columns, labels.astype(np.int64), weights)
    if isinstance(head, Several):
        each = LogisticRegression(C=penalty, solver="liblinear")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Label .* is present in")  # a name of all examples, or of none
            return OneVsRestClassifier(each).fit(columns, labels.astype(np.int64))
    return Ridge(alpha=1 / penalty).fit(columns, labels, weights)


def _can_be_told_apart(labels: NDArray[np.float64]) -> bool:
    return len(np.unique(labels, axis=0)) > 1


def _loss(head: Head, model: Any, columns: Any, labels: NDArray[np.float64]) -> float:
    """How wrong a linear model is about rows that it has not seen: mistakes, or of scores the squared distance."""
    said = model.predict(columns)
    return float(
        (said != labels).sum() if isinstance(head, Classes | Ordinal | Several) else ((said - labels) ** 2).sum()
    )


def _joined(one: Input) -> str:
    return one.text if one.pair is None else f"{one.text}\n{one.pair}"


def _columns(inputs: Sequence[Input], characters: Any, words: Any) -> Any:
    """Sparse features ``[n, width]``; the last is the cosine between the two texts of a pair, 0 without one."""
    from scipy.sparse import csr_matrix, hstack

    joined = [_joined(one) for one in inputs]
    first = characters.transform([one.text for one in inputs])
    second = characters.transform([one.pair or "" for one in inputs])
    shared = np.asarray(first.multiply(second).sum(axis=1)).reshape(-1, 1)
    return hstack([characters.transform(joined), words.transform(joined), csr_matrix(shared)]).tocsr()
