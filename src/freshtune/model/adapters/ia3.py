"""Keys, values and inner activations learn how loud they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from freshtune.model.adapters.parts import Uppermost, hang, head_alone, take_off, top_blocks

if TYPE_CHECKING:
    from torch import Tensor, nn

    from freshtune.model.backbone import TextModel

_PART = "ia3"


@dataclass(frozen=True)
class Ia3(Uppermost):
    """A factor for each key, value and inner activation of the ``k`` uppermost layers, 1 at the start, and the head.

    Source: Liu et al., *Few-shot parameter-efficient fine-tuning is better and cheaper than in-context learning*, 2022.

    >>> Ia3(k=2).lowest_trained(12)
    10
    """

    name: Literal["ia3"] = "ia3"
    merges: ClassVar[bool] = True
    part: ClassVar[str] = _PART

    def attach(self, model: "TextModel") -> None:
        import torch
        from torch import nn

        head_alone(model)
        for block in top_blocks(model, self.k):
            outgoing = nn.ParameterDict({"outgoing": torch.ones(2 * model.width)})
            hang(block.qkv, _PART, outgoing, block.qkv.register_forward_hook(_outgoing, prepend=True))
            incoming = nn.ParameterDict({"incoming": torch.ones(block.inner_out.in_features)})
            hang(block.inner_out, _PART, incoming, block.inner_out.register_forward_pre_hook(_incoming))

    def settle(self, model: "TextModel") -> None:
        import torch

        with torch.no_grad():
            for linear, part in take_off(model, _PART):
                if "incoming" in part:
                    linear.weight *= part["incoming"]
                else:
                    linear.weight *= _whole(part["outgoing"])[:, None]
                    linear.bias *= _whole(part["outgoing"])

    def factors(self, part: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
        return {"columns": part["incoming"]} if "incoming" in part else {"rows": _whole(part["outgoing"])}


def _outgoing(linear: "nn.Module", inputs: tuple["Tensor"], output: "Tensor") -> "Tensor":  # noqa: ARG001
    return output * _whole(linear.get_parameter(f"{_PART}.outgoing"))


def _incoming(linear: "nn.Module", inputs: tuple["Tensor"]) -> tuple["Tensor"]:
    return (inputs[0] * linear.get_parameter(f"{_PART}.incoming"),)


def _whole(keys_and_values: Any) -> "Tensor":
    """Factors of queries, which are not scaled, keys and values."""
    import torch

    return torch.cat([torch.ones_like(keys_and_values[: len(keys_and_values) // 2]), keys_and_values])
