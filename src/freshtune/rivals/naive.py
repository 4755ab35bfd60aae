"""The loop everybody writes: the whole model, five epochs on what is new, every text padded."""

from freshtune.records import Example
from freshtune.rivals.whole_model import Loop, WholeModelStrategy

EVERYBODYS = Loop(epochs=5, batch=16, learning_rate=2e-5, padded_to=128, warmup=0.1)
WELL_DONE = Loop(epochs=3, batch=16, learning_rate=5e-5, by_length=True)


class Naive(WholeModelStrategy):
    """Begins like ``retrain``, done well, so that updates alone differ; then its own loop on each increment."""

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._whole.tune(history, WELL_DONE)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._whole.tune(new, EVERYBODYS)
