"""From the pretrained weights on everything so far: the quality to beat, at a price that grows with history."""

from typing import TYPE_CHECKING

from freshtune.records import Example
from freshtune.rivals.whole_model import WELL_DONE, WholeModel, WholeModelStrategy

if TYPE_CHECKING:
    from freshtune.rivals import Setting


class Retrain(WholeModelStrategy):
    """Done well: batches by length, three epochs, bf16 where the CPU multiplies it."""

    def __init__(self, setting: "Setting") -> None:
        super().__init__(setting)
        self._seen: tuple[Example, ...] = ()

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._seen = history
        self._whole.tune(history, WELL_DONE)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._seen += new
        self._whole = WholeModel(self.setting)
        self._whole.tune(self._seen, WELL_DONE)
