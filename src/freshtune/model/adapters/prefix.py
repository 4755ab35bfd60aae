"""Learned keys and values that every token can look at."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from freshtune.model.adapters.parts import Uppermost, head_alone, require_positive, top_blocks
from freshtune.model.adapters.unmerged import cannot_merge

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import Layer, TextModel


@dataclass(frozen=True)
class Prefix(Uppermost):
    """``length`` learned keys and values a layer; what is seen in them is added to attention through a gate a head.

    The gates are zero at the start, so that attaching changes nothing; a prefix in the same softmax as the tokens
    would. For comparison: a prefix is no weight of the model, so a release cannot be made of it.

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
        import torch
        from torch import nn

        head_alone(model)
        prefixed = _prefixed()
        for block in top_blocks(model, self.k):
            if hasattr(block, "prefix"):
                raise ValueError("There is a prefix already.")
            keys, values = torch.randn(2, self.length, model.width)
            block.prefix = nn.ParameterDict({"key": keys, "value": values, "gate": torch.zeros(block.heads)})
            block.__class__ = prefixed

    def settle(self, model: "TextModel") -> None:  # noqa: ARG002
        raise cannot_merge(self)


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

    prefix = dict(layer.get_submodule("prefix").named_parameters())
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
