"""Words and characters counted, a linear model moved a little by each increment: no language model at all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.records import Example
from freshtune.rivals.of_classes import classes_alone

if TYPE_CHECKING:
    from freshtune.rivals import Setting

_EPOCHS = 5
_LEAST = 1e-6


class TfidfSgd:
    """TF-IDF of 1 to 3 characters, fitted on history; ``SGDClassifier.partial_fit``. For tasks of classes."""

    def __init__(self, setting: "Setting") -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import SGDClassifier

        self._head = classes_alone("tfidf-sgd", setting.task, setting.head)
        self._random = np.random.default_rng(setting.seed)
        self._counts = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
        self._model = SGDClassifier(loss="log_loss", alpha=1e-5, random_state=setting.seed, average=True)

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._counts.fit([_text(Input(row.text, row.pair)) for row in history])
        self._learn(history)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._learn(new)

    @property
    def predictor(self) -> "TfidfSgd":
        return self

    @property
    def head(self) -> Head:
        return self._head

    @property
    def trained_parameters(self) -> int:
        return int(self._model.coef_.size + self._model.intercept_.size)

    @property
    def update_bytes(self) -> int:
        return 8 * self.trained_parameters

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        """Log probabilities ``[n, classes]``."""
        told = self._model.predict_proba(self._counts.transform([_text(each) for each in inputs]))
        return np.asarray(np.log(np.maximum(told, _LEAST)), np.float32)

    def _learn(self, examples: Sequence[Example]) -> None:
        rows = self._counts.transform([_text(Input(row.text, row.pair)) for row in examples])
        numbers = np.array([self._head.number(row.label) for row in examples if row.label is not None])
        for _ in range(_EPOCHS):
            order = self._random.permutation(len(numbers))
            self._model.partial_fit(rows[order], numbers[order], classes=np.arange(self._head.outputs))


def _text(given: Input) -> str:
    return given.text if given.pair is None else f"{given.text}\n{given.pair}"
