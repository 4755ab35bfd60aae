"""The one thing that judge, serve and shop ask of a model, whatever it runs on."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from freshtune.model.heads import Head


class Input(NamedTuple):
    """One masked, rendered input; ``pair`` is the second text of a two-text task."""

    text: str
    pair: str | None = None


class Predictor(Protocol):
    """A model that answers."""

    @property
    def head(self) -> Head:
        """What its logits mean."""

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        """Logits ``[n, head.outputs]``, in the order of ``inputs``; they do not depend on what else is in the call."""
