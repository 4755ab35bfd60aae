"""Learned keys and values that every token can look at."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from freshtune.model.adapters.parts import Uppermost, head_alone, require_positive, top_blocks
from freshtune.model.adapters.unmerged import of_another_size

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import Layer, TextModel

PART = "prefix"


@dataclass(frozen=True)
class Prefix(Uppermost):
    """``length`` learned keys and values a layer; what is seen in them is added to attention through a gate a head.

    The gates are zero at the start, so that attaching changes nothing; a prefix in the same softmax as the tokens
    would. A prefix is no weight of a layer and does not merge: it is released and served as it is, and each text pays
    for looking at it.

    Source: Li and Liang, *Prefix-tuning*, 2021; the gate: Zhang et al., *LLaMA-Adapter*, 2023.

    Attributes:
        length: number of keys and values.

    >>> Prefix(length=4, k=2).lowest_trained(12)
    10
    """

    length: int = 8
    name: Literal["prefix"] = "prefix"
    merges: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self.name, "length", self.length)

    def attach(self, model: "TextModel") -> None:
        blocks = list(top_blocks(model, self.k))
        for block in blocks:
            if hasattr(block, PART) and (length := len(_parts(block)["key"])) != self.length:
                raise of_another_size(self.name, "length", self.length, length)
        head_alone(model)
        for block in blocks:
            if not hasattr(block, PART):
                hang_prefix(block, self.length)
            block.get_submodule(PART).requires_grad_(True)

    def settle(self, model: "TextModel") -> None:
        """Nothing: its parts stay."""


def hang_prefix(block: Any, length: int) -> None:
    """Give a layer so many keys and values of its own, its gates shut."""
    import torch
    from torch import nn

    keys, values = torch.randn(2, length, block.width)
    block.add_module(PART, nn.ParameterDict({"key": keys, "value": values, "gate": torch.zeros(block.heads)}))
    block.__class__ = _prefixed()


@cache
def _prefixed() -> type["Layer"]:
    """The class of a layer with a prefix; made when it is needed, since its parent imports torch."""
    from freshtune.model.blocks import Layer, attention

    class Prefixed(Layer):
        def _attention(self, hidden: "Tensor", visible: "Tensor | None") -> "Tensor":
            query, key, value = self.qkv(hidden).split(self.width, dim=-1)
            attended = attention(query, key, value, self.heads, visible, self.causal)
            return cast("Tensor", self.attention_out(attended + _seen(query, self)))

    return Prefixed


def _seen(query: "Tensor", layer: "Layer") -> "Tensor":
    """What each token sees in the prefix, ``[b, t, width]``, times its head's gate."""
    from torch.nn import functional

    prefix = _parts(layer)
    batch, length, width = query.shape
    queries = query.view(batch, length, layer.heads, -1).transpose(1, 2)
    keys, values = (
        prefix[name]
        .to(query.dtype)
        .view(-1, layer.heads, width // layer.heads)
        .transpose(0, 1)
        .expand(batch, -1, -1, -1)
        for name in ("key", "value")
    )
    seen = functional.scaled_dot_product_attention(queries, keys, values)
    gated = seen * prefix["gate"].to(query.dtype).tanh()[:, None, None]
    return gated.transpose(1, 2).reshape(batch, length, width)


def _parts(layer: "Layer") -> dict[str, "Tensor"]:
    return dict(layer.get_submodule(PART).named_parameters())
