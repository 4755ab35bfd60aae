"""What an update saw of the examples that it learned: material to choose by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freshtune.model.heads import Head
from freshtune.records import Example

_SURE_NOT = -1e3
"""A logit at which a yes has no chance."""


@dataclass(frozen=True)
class Evidence:
    """Asked for by the members that choose by it, so that the others cost nothing; rows as the examples stand.

    Attributes:
        head: what logits mean.
        features: gives a vector of each text that knows nothing of the labels, the mean of the trunk's output over its
            tokens, float32 ``[n, width]``.
        logits: gives what the champion says, before it has learned them, float32 ``[n, outputs]``; of a first
            release, which has no champion, what the release itself says.
    """

    head: Head
    features: Callable[[], NDArray[np.float32]]
    logits: Callable[[], NDArray[np.float32]]


def likelihoods(head: Head, logits: NDArray[np.float32], examples: Sequence[Example]) -> NDArray[np.float64]:
    """How likely each label is to the model, float64 ``[n]`` in [0, 1]: exp(−supervised loss), 1 where it is sure.

    Args:
        logits: float32 ``[n, outputs]``; −∞ for classes that the model does not know.
        examples: labelled ones.
    """
    targets = [head.target(example.label) for example in examples if example.label is not None]
    return likelihoods_of(head, logits, np.reshape(targets, logits.shape))


def likelihoods_of(head: Head, logits: NDArray[np.float32], targets: NDArray[np.generic]) -> NDArray[np.float64]:
    """The same by the labels' targets, ``[n, outputs]``, see ``Head.target``."""
    target = targets.astype(np.float64)
    if head.kind == "classes":
        told = np.where(target > 0, _log_softmax(logits), 0)  # a class that the model does not know is at −∞
        return np.asarray(np.exp((target * told).sum(axis=1)))
    values = np.maximum(logits.astype(np.float64), _SURE_NOT)  # a name that the model does not know is at −∞
    lost = np.logaddexp(0, values) - target * values
    return np.asarray(np.exp(-(lost.sum(axis=1) if head.kind == "several" else lost.mean(axis=1))))


def margins(head: Head, logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far each answer lies from the nearest other one, float64 ``[n]`` in [0, 1]; 0 on the border.

    Of classes the gap between the two most likely ones; of other heads the least ``|2 p − 1|`` of their outputs.
    """
    if head.kind == "classes":
        ordered = np.sort(np.exp(_log_softmax(logits)), axis=1)
        return ordered[:, -1] - ordered[:, -2] if ordered.shape[1] > 1 else ordered[:, -1]
    return np.asarray(np.abs(np.tanh(logits.astype(np.float64) / 2)).min(axis=1))


def distance(head: Head, logits: NDArray[np.float32], examples: Sequence[Example]) -> float:
    """How far labelled examples lie from what a model knows, in [0, 1]: what it gives their labels falls short of 1.

    0 where it is sure of every label, one half where it knows no more of two classes than a coin.
    """
    return float(1 - likelihoods(head, logits, examples).mean()) if len(examples) else 0.0


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    values = logits.astype(np.float64)
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
