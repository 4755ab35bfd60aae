"""The loop everybody writes: the whole model, five epochs on what is new, every text padded."""

from freshtune.records import Example
from freshtune.rivals.whole_model import WholeModelStrategy


class Naive(WholeModelStrategy):
    """Goes on from where it is, on each increment alone."""

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._whole.tune(new, self._everybodys)
