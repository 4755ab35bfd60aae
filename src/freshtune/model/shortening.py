"""A model with fewer layers than the one that it is made from, for what must be small or quick.

Nothing is trained here: the layers that stay are copies, and what they lack is for a teacher to teach.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from freshtune.errors import ConfigurationError
from freshtune.model.families import tapped_layers

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel

Keep = Literal["even", "lower"]


def kept_layers(layers: int, wanted: int, keep: Keep) -> tuple[int, ...]:
    """Which layers stay, counted from 0: the lowest ones, or as many at even distances from the first to the last.

    Raises:
        ConfigurationError: there are not so many.

    >>> kept_layers(12, 4, "even"), kept_layers(12, 4, "lower"), kept_layers(12, 1, "even")
    ((0, 4, 7, 11), (0, 1, 2, 3), (0,))
    """
    if not 0 < wanted <= layers:
        raise ConfigurationError(
            f"A student of {wanted} layers cannot be made.",
            f"Its backbone has {layers}.",
            f"Set learn.student.layers to {layers} or fewer.",
        )
    if keep == "lower" or wanted == 1:
        return tuple(range(wanted))
    return tuple(round(place * (layers - 1) / (wanted - 1)) for place in range(wanted))


def shortened(model: "TextModel", kept: Sequence[int], taps: Sequence[float]) -> "TextModel":
    """A model of some layers of another, in evaluation mode; its head is new, from torch's global generator.

    Args:
        model: stays as it is.
        kept: layers, counted from 0, from below.
        taps: how deep the new head reads, as shares of the layers that stay.
    """
    from freshtune.model.backbone import TextModel

    architecture = replace(model.architecture, layers=len(kept), taps=tapped_layers(taps, len(kept)))
    short = TextModel(architecture, model.head.out_features, model.dropout)
    state = {name: weight for name, weight in model.state_dict().items() if not name.startswith(("head.", "blocks."))}
    for new, old in enumerate(kept):
        for name, weight in model.blocks[str(old)].state_dict().items():
            state[f"blocks.{new}.{name}"] = weight
    short.load_state_dict({**short.state_dict(), **state})
    return short.eval()
