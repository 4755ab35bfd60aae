"""The loop everybody writes: the whole model, five epochs on what is new, every text padded."""

from typing import TYPE_CHECKING

from freshtune.records import Example
from freshtune.rivals.whole_model import Loop, WholeModel

if TYPE_CHECKING:
    from freshtune.rivals import Setting

EVERYBODYS = Loop(epochs=5, batch=16, learning_rate=2e-5, padded_to=128, warmup=0.1)
WELL_DONE = Loop(epochs=3, batch=16, learning_rate=5e-5, by_length=True)


class Naive:
    """Begins like ``retrain``, done well, so that updates alone differ; then its own loop on each increment."""

    def __init__(self, setting: "Setting") -> None:
        self._whole = WholeModel(setting)

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._whole.tune(history, WELL_DONE)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._whole.tune(new, EVERYBODYS)

    @property
    def predictor(self) -> WholeModel:
        return self._whole

    @property
    def trained_parameters(self) -> int:
        return self._whole.parameters

    @property
    def update_bytes(self) -> int:
        return self._whole.bytes
