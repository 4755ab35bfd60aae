"""Guess words that are hidden: how an encoder learns the language of a shop, where it carries the head for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from freshtune.model.word_head import WordHead

if TYPE_CHECKING:
    import torch
    from torch.nn import Parameter

    from freshtune.model.backbone import TextModel

_HIDDEN, _RANDOM = 0.8, 0.1
"""Of the words to guess: so many are hidden, so many replaced by any other; the rest stands as it is."""


@dataclass(frozen=True)
class MaskedWords:
    """Cross-entropy of the words that were chosen to be guessed; which ones is drawn anew every time.

    Source: Devlin et al., *BERT*, 2019.

    Attributes:
        head: above the last layer.
        mask: id of the token that hides.
        kept: ids that are never chosen: the special tokens.
        share: of a text's tokens, at least one.
    """

    head: WordHead
    mask: int
    kept: tuple[int, ...]
    share: float

    @property
    def weights(self) -> "dict[str, Parameter]":
        """What learns beside the layers."""
        return dict(self.head.weights)

    def __call__(self, model: "TextModel", ids: "torch.Tensor", attention_mask: "torch.Tensor") -> "torch.Tensor":
        """Mean over the chosen words; 0 where no text has one.

        Args:
            ids, attention_mask: int64 ``[b, t]``.
        """
        from torch.nn import functional

        shown, chosen = self.hidden_from(ids, attention_mask)
        last = model.layers - 1
        below = model.lower(shown, attention_mask, last)
        states = model.blocks[str(last)](below, attention_mask.bool()[:, None, None, :])
        if not chosen.any():
            return cast("torch.Tensor", states.sum() * 0)
        logits = self.head.logits(states[chosen], model.tokens.weight)
        return functional.cross_entropy(logits.float(), ids[chosen])

    def hidden_from(self, ids: "torch.Tensor", attention_mask: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        """What is shown, int64 ``[b, t]``, and which words are to be guessed, bool ``[b, t]``."""
        import torch

        free = attention_mask.bool() & ~torch.isin(ids, torch.tensor(self.kept, dtype=ids.dtype))
        drawn = torch.rand(ids.shape).masked_fill(~free, 2.0)
        first = drawn == drawn.min(dim=1, keepdim=True).values  # one of each text, however short
        chosen = free & ((drawn < self.share) | first)
        how = torch.rand(ids.shape)
        shown = torch.where(chosen & (how < _HIDDEN), torch.full_like(ids, self.mask), ids)
        other = torch.randint(0, len(self.head.weights["bias"]), ids.shape)
        return torch.where(chosen & (how >= 1 - _RANDOM), other, shown), chosen
