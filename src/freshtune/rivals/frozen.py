"""The first model, for ever: what the others gain on."""

from typing import TYPE_CHECKING

from freshtune.records import Example
from freshtune.rivals.naive import WELL_DONE
from freshtune.rivals.whole_model import WholeModel

if TYPE_CHECKING:
    from freshtune.rivals import Setting


class Frozen:
    """Never updates."""

    trained_parameters = 0
    update_bytes = 0

    def __init__(self, setting: "Setting") -> None:
        self._whole = WholeModel(setting)

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._whole.tune(history, WELL_DONE)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:
        pass

    @property
    def predictor(self) -> WholeModel:
        return self._whole
