"""Examples → what the first trained layer reads of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freshtune.intake.held_out import is_development
from freshtune.learn.lesson import Lesson
from freshtune.model.onnx_model import Trunk
from freshtune.model.predictor import Input
from freshtune.model.tokens import Tokens
from freshtune.records import Example
from freshtune.ship.bundle import ModelFacts


def inputs_of(examples: Sequence[Example]) -> list[Input]:
    """As the model is asked."""
    return [Input(example.text, example.pair) for example in examples]


def hidden(examples: Sequence[Example], tokens: Tokens, trunk: Trunk) -> list[NDArray[np.float32]]:
    """The trunk's output, float32 ``[t_i, width]``, of each example."""
    return trunk.hidden(tokens.encode(inputs_of(examples)))


def lesson(
    new: Sequence[Example],
    remembered: Sequence[Example],
    inputs: Sequence[NDArray[np.generic]],
    development_share: float,
) -> Lesson:
    """Put new and remembered examples together.

    Args:
        inputs: of the new examples, then of the remembered ones.
        development_share: of the training side that is only looked at.
    """
    examples = [*new, *remembered]
    flags = [is_development(example.split_key, development_share) for example in examples]
    return Lesson(
        examples=examples,
        inputs=inputs,
        remembered=np.arange(len(examples)) >= len(new),
        development=np.asarray(flags, np.bool_),
    )


def text_vectors(facts: ModelFacts, inputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """A vector a text, float32 ``[n, width]``, that knows nothing of the labels.

    What the head reads of vectors, where the trunk gives that (``[n, taps · width]``); else the mean over the tokens.
    """
    whole, taps = facts.cut == facts.layers, len(facts.taps)
    return np.stack([rows[:taps].ravel() if whole else rows.mean(axis=0) for rows in inputs]).astype(np.float32)
