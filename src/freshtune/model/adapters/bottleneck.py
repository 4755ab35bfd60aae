"""A small network after each part of a layer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from freshtune.model.adapters.parts import Uppermost, hang, head_alone, linears, require_positive
from freshtune.model.adapters.unmerged import of_another_size

if TYPE_CHECKING:
    from torch import Tensor, nn

    from freshtune.model.backbone import TextModel

PART = "bottleneck"


@dataclass(frozen=True)
class Bottleneck(Uppermost):
    """``h`` becomes ``h + up(gelu(down(h)))`` after attention and after the inner part, before each is added.

    ``up`` is zero at the start. The norms stay frozen. What is not linear does not merge into weights: the small
    networks are released and served as they are, and each text pays for them.

    Source: Houlsby et al., *Parameter-efficient transfer learning for NLP*, 2019.

    Attributes:
        size: width of the small network's middle.

    >>> Bottleneck(size=8, k=2).lowest_trained(12)
    10
    """

    size: int = 16
    name: Literal["bottleneck"] = "bottleneck"
    merges: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self.name, "size", self.size)

    def attach(self, model: "TextModel") -> None:
        places: list[Any] = list(linears(model, self.k, ("attention_out", "inner_out")))
        for place in places:
            if hasattr(place, PART) and (size := place.get_submodule(PART)[0].out_features) != self.size:
                raise of_another_size(self.name, "size", self.size, size)
        head_alone(model)
        for place in places:
            if not hasattr(place, PART):
                hang_bottleneck(place, self.size)
            place.get_submodule(PART).requires_grad_(True)

    def settle(self, model: "TextModel") -> None:
        """Nothing: its parts stay."""


def hang_bottleneck(linear: Any, size: int) -> None:
    """Hang a small network on a linear map, its effect zero."""
    from torch import nn

    up = nn.Linear(size, linear.out_features)
    nn.init.zeros_(up.weight)
    nn.init.zeros_(up.bias)
    part = nn.Sequential(nn.Linear(linear.out_features, size), nn.GELU(), up)
    hang(linear, PART, part, linear.register_forward_hook(_added))


def _added(linear: "nn.Module", inputs: tuple["Tensor"], output: "Tensor") -> "Tensor":  # noqa: ARG001
    change: Tensor = linear.get_submodule(PART)(output)
    return output + change
