"""A low-rank change beside each of some linear maps, its rank spent where it matters."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from freshtune.errors import ConfigurationError
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

_PART = "adalora"
_FULL_UNTIL, _PRUNED_AT = 0.2, 0.7
"""Shares of a run: until the first every triplet stays, from the second on only ``target_rank`` of them a map."""


@dataclass(frozen=True)
class AdaLora(Uppermost):
    """``W`` becomes ``W + alpha · Σ λᵢ pᵢ qᵢᵀ``, with ``pᵢ`` and ``qᵢ`` of length 1; all three learn, and the head.

    In the course of a run the smallest ``|λᵢ|`` of all maps together are set to zero, on the paper's cubic schedule
    from ``rank`` to ``target_rank`` a map on average.

    The directions are brought to length 1 where they are used, so that ``|λᵢ|`` is the size of a triplet's change. What
    keeps two directions of a map from being alike is the paper's term ``‖PᵀP − I‖² + ‖QQᵀ − I‖²``; its gradient is
    taken after each step and apart from the loss, as AdamW takes decay, so that no optimiser rescales it. One thing is
    simpler than in the paper: a triplet's importance is its size, not its size times a smoothed gradient, so that it
    needs no state and an interrupted run goes on the same.

    Source: Zhang et al., *Adaptive budget allocation for parameter-efficient fine-tuning*, 2023.

    Attributes:
        rank: triplets of a map at the start.
        target_rank: triplets of a map at the end, on average.
        alpha: the factor above. A λ starts at 0 and moves by the learning rate a step; 32 lets a map of a small model
            move about as fast as under :class:`Lora`.
        orthogonality: how far a step goes towards orthogonal directions: 0 leaves them.
        linears: which maps of a layer; see :data:`freshtune.model.adapters.parts.LINEARS`.

    >>> [round(AdaLora(rank=12, target_rank=4).rank_after(done), 1) for done in (0.1, 0.3, 0.5, 1.0)]
    [12.0, 8.1, 4.5, 4.0]
    """

    rank: int = 12
    target_rank: int = 6
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 32.0
    orthogonality: Annotated[float, Field(ge=0, le=0.25)] = 0.1
    linears: tuple[str, ...] = ("qkv", "attention_out", "inner_in", "inner_out")
    name: Literal["adalora"] = "adalora"
    merges: ClassVar[bool] = True
    part: ClassVar[str] = _PART

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self.name, "target_rank", self.target_rank)
        require_linears(self.name, self.linears)
        if self.rank < self.target_rank:
            raise ConfigurationError(
                f"adalora: rank = {self.rank} is less than target_rank = {self.target_rank}.",
                "Ranks only fall in a run.",
                f"Set rank to {self.target_rank} or more.",
            )

    def require(self, backbone: "Architecture") -> None:
        super().require(backbone)
        require_rank(self.name, self.rank, backbone)

    def attach(self, model: "TextModel") -> None:
        import torch
        from torch import nn

        head_alone(model)
        for linear in linears(model, self.k, self.linears):
            left = torch.randn(linear.out_features, self.rank)
            right = torch.randn(self.rank, linear.in_features)
            part = nn.ParameterDict({"left": left, "singular": torch.zeros(self.rank), "right": right})
            hang(linear, _PART, part, linear.register_forward_hook(self._added, prepend=True))

    def settle(self, model: "TextModel") -> None:
        import torch

        with torch.no_grad():
            for linear, part in take_off(model, _PART):
                up, down = self._factors(part)
                linear.weight += up @ down

    def factors(self, part: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
        """Of the triplets that are left."""
        up, down = self._factors(part)
        left = part["singular"] != 0
        return {"up": up[:, left], "down": down[left]}

    def rank_after(self, done: float) -> float:
        """Triplets of a map on average when a share ``done`` of the run is over."""
        left = 1 - (done - _FULL_UNTIL) / (_PRUNED_AT - _FULL_UNTIL)
        return self.target_rank + (self.rank - self.target_rank) * min(max(left, 0.0), 1.0) ** 3

    def prune(self, model: "TextModel", done: float) -> None:
        """Part the directions, and set all but the largest λ to zero; one that is zero still learns, and may come
        back."""
        import torch

        self._part_directions(model)
        singular: list[Any] = [
            weight for name, weight in model.named_parameters() if name.endswith(f".{_PART}.singular")
        ]
        with torch.no_grad():
            every = torch.cat(singular)
            kept = torch.topk(every.abs(), round(self.rank_after(done) * len(singular))).indices
            left = torch.zeros_like(every)
            left[kept] = every[kept]
            for weight, (start, end) in zip(singular, pairwise(range(0, len(every) + 1, self.rank)), strict=True):
                weight.copy_(left[start:end])

    def _part_directions(self, model: "TextModel") -> None:
        """One step down the gradient of the orthogonality term; lengths, which mean nothing, stay."""
        import torch
        from torch.nn import functional

        with torch.no_grad():
            for name, weight in model.named_parameters() if self.orthogonality else ():
                if not name.endswith((f".{_PART}.left", f".{_PART}.right")):
                    continue
                rows = weight.T if name.endswith("left") else weight
                unit, lengths = functional.normalize(rows, dim=1), rows.norm(dim=1, keepdim=True)
                alike = unit @ unit.T - torch.eye(len(unit))
                rows.copy_(functional.normalize(unit - self.orthogonality * (alike @ unit), dim=1) * lengths)

    def _added(self, linear: "nn.Module", inputs: tuple["Tensor"], output: "Tensor") -> "Tensor":
        from torch.nn import functional

        up, down = self._factors(dict(linear.get_submodule(_PART).named_parameters()))
        return output + functional.linear(functional.linear(inputs[0], down), up)

    def _factors(self, part: Any) -> tuple["Tensor", "Tensor"]:
        from torch.nn import functional

        left = functional.normalize(part["left"], dim=0)
        return left * (part["singular"] * self.alpha), functional.normalize(part["right"], dim=1)
