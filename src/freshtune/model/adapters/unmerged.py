"""Parts that cannot become plain weights: a release holds them as they are, and its model has them hung on again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from freshtune.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel


def hang_stored(model: "TextModel", state: Mapping[str, "Tensor"]) -> None:
    """Hang the parts that the names of stored weights speak of on a plain model, so that the weights fit it.

    Raises:
        AttributeError: a part's place is not there.
    """
    from freshtune.model.adapters import bottleneck, prefix

    for name, weight in state.items():
        place, _, rest = name.partition(f".{bottleneck.PART}.")
        if rest == "0.weight":
            bottleneck.hang_bottleneck(model.get_submodule(place), len(weight))
        place, _, rest = name.partition(f".{prefix.PART}.")
        if rest == "key":
            prefix.hang_prefix(model.get_submodule(place), len(weight))


def cannot_merge(adapter: object) -> ConfigurationError:
    """The error to raise where plain weights are wanted: what, why, and the nearest member that merges."""
    return ConfigurationError(
        f"{adapter} cannot tune a trunk.",
        "Its parts do not merge into the weights, and a trunk is plain weights.",
        "Choose lora, the nearest that merges.",
    )


def of_another_size(member: str, field: str, wanted: int, there: int) -> ConfigurationError:
    """The error to raise where the champion's parts would have to grow or shrink."""
    return ConfigurationError(
        f"{member}: {field} = {wanted} does not fit the live release.",
        f"Its model has such parts already, of {field} {there}, and an update goes on with them.",
        f"Set learn.adapter.{field} = {there}, or begin anew from all history: freshtune train.",
    )
