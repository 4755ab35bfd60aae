"""The first model, for ever: what the others gain on."""

from freshtune.records import Example
from freshtune.rivals.whole_model import WholeModelStrategy


class Frozen(WholeModelStrategy):
    """Never updates."""

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:
        pass

    @property
    def trained_parameters(self) -> int:
        return 0

    @property
    def update_bytes(self) -> int:
        return 0
