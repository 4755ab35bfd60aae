"""A small network after each part of a layer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from freshtune.model.adapters.parts import Uppermost, hang, head_alone, linears, require_positive
from freshtune.model.adapters.unmerged import cannot_merge

if TYPE_CHECKING:
    from torch import Tensor, nn

    from freshtune.model.backbone import TextModel

_PART = "bottleneck"


@dataclass(frozen=True)
class Bottleneck(Uppermost):
    """``h`` becomes ``h + up(gelu(down(h)))`` after attention and after the inner part, before each is added.

    ``up`` is zero at the start. The norms stay frozen. For comparison: what is not linear does not merge into weights,
    so a release cannot be made of it.

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
        from torch import nn

        head_alone(model)
        for linear in linears(model, self.k, ("attention_out", "inner_out")):
            up = nn.Linear(self.size, model.width)
            nn.init.zeros_(up.weight)
            nn.init.zeros_(up.bias)
            part = nn.Sequential(nn.Linear(model.width, self.size), nn.GELU(), up)
            hang(linear, _PART, part, linear.register_forward_hook(_added))

    def settle(self, model: "TextModel") -> None:  # noqa: ARG002
        raise cannot_merge(self)


def _added(linear: "nn.Module", inputs: tuple["Tensor"], output: "Tensor") -> "Tensor":  # noqa: ARG001
    change: Tensor = linear.get_submodule(_PART)(output)
    return output + change
