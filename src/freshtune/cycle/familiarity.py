"""What a release says of examples, for a memory to choose by and to mix by."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freshtune.cycle.lessons import hidden, inputs_of, text_vectors
from freshtune.learn.memory.evidence import Evidence, distance
from freshtune.model.heads import Head
from freshtune.model.heads.widening import widened
from freshtune.records import Example, names_of
from freshtune.ship.bundle import Bundle


def evidence_of(bundle: Bundle, examples: Sequence[Example]) -> Evidence:
    """Of a release, as it serves; nothing is computed before it is asked for."""

    def features() -> NDArray[np.float32]:
        return text_vectors(bundle.facts, hidden(examples, bundle.tokens, bundle.cached))

    return Evidence(bundle.head, features, lambda: bundle.predictor().logits(inputs_of(examples)))


def distance_from(bundle: Bundle, examples: Sequence[Example]) -> float:
    """How far labelled examples lie from what a release knows, in [0, 1]."""
    if not examples:
        return 0.0
    head = _grown(bundle, examples)
    return distance(head, widened(bundle.predictor().logits(inputs_of(examples)), head.outputs), examples)


def brings_classes(bundle: Bundle, examples: Sequence[Example]) -> bool:
    """Whether labelled examples are of classes that a release does not answer with."""
    return _grown(bundle, examples) != bundle.head


def _grown(bundle: Bundle, examples: Sequence[Example]) -> Head:
    return bundle.head.grown(
        [example.label for example in examples if example.label is not None and names_of(example.label)]
    )
