"""A low-rank change beside each of some linear maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from freshtune.model.adapters.parts import (
    Uppermost,
    hang,
    head_alone,
    linears,
    require_linears,
    require_positive,
    require_rank,
    take_off,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from freshtune.model.backbone import TextModel
    from freshtune.model.families import Architecture

_PART = "lora"


@dataclass(frozen=True)
class Lora(Uppermost):
    """``W x + b`` becomes ``W x + b + (alpha / rank) · up · down · x``; ``up`` and ``down`` learn, and the head.

    ``up`` is zero at the start. Queries, keys and values are one map here and share one ``down``.

    Source: Hu et al., *LoRA: Low-rank adaptation of large language models*, 2022.

    Attributes:
        rank: rows of ``down [rank, in]``, columns of ``up [out, rank]``.
        alpha: the factor above, before it is divided by the rank.
        dropout: share of the inputs of ``down`` that is dropped in training.
        linears: which maps of a layer; see :data:`freshtune.model.adapters.parts.LINEARS`.

    >>> Lora(rank=4, linears=("qkv", "inner_in"), k=2).lowest_trained(12)
    10
    """

    rank: int = 8
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    linears: tuple[str, ...] = ("qkv", "attention_out", "inner_in", "inner_out")
    name: Literal["lora"] = "lora"
    merges: ClassVar[bool] = True
    part: ClassVar[str] = _PART

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self.name, "rank", self.rank)
        require_linears(self.name, self.linears)

    def require(self, backbone: "Architecture") -> None:
        super().require(backbone)
        require_rank(self.name, self.rank, backbone)

    def attach(self, model: "TextModel") -> None:
        import torch
        from torch import nn

        head_alone(model)
        for linear in linears(model, self.k, self.linears):
            down = torch.empty(self.rank, linear.in_features)
            nn.init.kaiming_uniform_(down, a=5**0.5)
            part = nn.ParameterDict({"down": down, "up": torch.zeros(linear.out_features, self.rank)})
            hang(linear, _PART, part, linear.register_forward_hook(self._added, prepend=True))

    def settle(self, model: "TextModel") -> None:
        import torch

        with torch.no_grad():
            for linear, part in take_off(model, _PART):
                factors = self.factors(part)
                linear.weight += factors["up"] @ factors["down"]

    def factors(self, part: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
        return {"up": part["up"] * (self.alpha / self.rank), "down": part["down"]}

    def _added(self, linear: "nn.Module", inputs: tuple["Tensor"], output: "Tensor") -> "Tensor":
        from torch.nn import functional

        factors = dict(linear.get_submodule(_PART).named_parameters())
        hidden = functional.dropout(inputs[0], self.dropout, linear.training)
        change = functional.linear(functional.linear(hidden, factors["down"]), factors["up"])
        return output + change * (self.alpha / self.rank)
