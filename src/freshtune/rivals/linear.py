"""A frozen encoder and a logistic regression, refitted on everything so far."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.records import Example
from freshtune.rivals.of_classes import classes_alone
from freshtune.rivals.whole_model import WholeModel

if TYPE_CHECKING:
    from freshtune.rivals import Setting

_TOKENS = 4_096
_LEAST = 1e-6


class Linear:
    """Embeddings of a text are computed once and kept in memory. For tasks of classes. A Predictor too."""

    def __init__(self, setting: "Setting") -> None:
        self._head = classes_alone("linear", setting.task, setting.head)
        self._whole = WholeModel(setting)
        self._vectors: dict[Input, NDArray[np.float32]] = {}
        self._seen: list[Example] = []

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._learn(history)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._learn(new)

    @property
    def predictor(self) -> "Linear":
        return self

    @property
    def head(self) -> Head:
        return self._head

    @property
    def trained_parameters(self) -> int:
        return int(self._model.coef_.size + self._model.intercept_.size)

    @property
    def update_bytes(self) -> int:
        return 4 * self.trained_parameters

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        """Log probabilities ``[n, classes]``."""
        told = np.full((len(inputs), self.head.outputs), _LEAST)
        told[:, self._model.classes_.astype(int)] = self._model.predict_proba(self._of(inputs))
        return np.asarray(np.log(np.maximum(told, _LEAST)), np.float32)

    def _learn(self, examples: Sequence[Example]) -> None:
        from sklearn.linear_model import LogisticRegression

        self._seen += examples
        inputs = [Input(row.text, row.pair) for row in self._seen]
        numbers = [self._head.number(row.label) for row in self._seen if row.label is not None]
        self._model = LogisticRegression(C=10.0, max_iter=1_000).fit(self._of(inputs), np.array(numbers))

    def _of(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        fresh = list(dict.fromkeys(each for each in inputs if each not in self._vectors))
        for each, vector in zip(fresh, self._encoded(fresh), strict=True):
            self._vectors[each] = vector
        return np.stack([self._vectors[each] for each in inputs])

    def _encoded(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        import torch

        from freshtune.learn.batches import length_batches, padded

        model = self._whole.model.eval()
        ids = self._whole.tokens.encode(inputs)
        vectors = np.zeros((len(ids), model.width), np.float32)
        with torch.inference_mode():
            for rows in length_batches([len(row) for row in ids], _TOKENS):
                block, mask = padded([ids[row] for row in rows])
                vectors[rows] = model.lower(block, mask, model.layers)[:, -1].numpy()
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
