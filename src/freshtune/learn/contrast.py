"""Know a text again among others: how an encoder learns a shop's texts where it carries no head to guess words."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch.nn import Parameter

    from freshtune.model.backbone import TextModel


@dataclass(frozen=True)
class Contrast:
    """Two passes of one text, other units dropped in each, should meet, and keep off the other texts of the batch.

    Source: Gao, Yao and Chen, *SimCSE: simple contrastive learning of sentence embeddings*, 2021; the loss is van den
    Oord et al.'s InfoNCE, 2018.

    Attributes:
        temperature: the cosines are divided by it.
    """

    temperature: float

    @property
    def weights(self) -> "dict[str, Parameter]":
        """What learns beside the layers: nothing."""
        return {}

    def __call__(self, model: "TextModel", ids: "torch.Tensor", attention_mask: "torch.Tensor") -> "torch.Tensor":
        """Mean over the batch of the cross-entropy of finding each text's other pass; 0 for a text alone.

        Args:
            ids, attention_mask: int64 ``[b, t]``.
        """
        import torch
        from torch.nn import functional

        passes = [model.lower(ids, attention_mask, model.layers)[:, -1].float() for _ in range(2)]
        one, other = (functional.normalize(vectors, dim=1) for vectors in passes)
        return functional.cross_entropy(one @ other.T / self.temperature, torch.arange(len(ids)))
