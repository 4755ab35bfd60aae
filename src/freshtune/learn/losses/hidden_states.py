"""Keep to what the teacher's head reads: the term that passes on more of a text than its answer."""

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class HiddenStates:
    """1 − cosine of the vector that the model's head reads of a text and the teacher's; 0 where they point one way.

    The teacher may be another network with another tokenizer: its vectors are one a text, computed beforehand. Where
    they are of another width, a fixed random projection brings them to ours; it keeps angles about as they are
    (Johnson and Lindenstrauss, 1984) and needs no weights of its own. In an update the champion is the teacher. No pass
    beyond the step's own; where nothing below the head learns, nothing can follow.

    Source: Sanh et al., *DistilBERT*, 2019 (cosine of hidden states); Sun et al., *Patient knowledge distillation for
    BERT model compression*, 2019 (vectors of whole texts).

    Attributes:
        remembered, new: factor on examples out of memory and on the delta's.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    remembered: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    new: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    name: Literal["hidden_states"] = "hidden_states"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":
        """Mean over the batch; 0 without a teacher's vectors."""
        import torch
        from torch.nn import functional

        nothing = logits.sum() * 0
        if batch.teacher_vectors is None or model.vectors is None:
            return nothing
        theirs, ours = batch.teacher_vectors, model.vectors.float()
        if theirs.shape[1] != ours.shape[1]:
            theirs = theirs @ _projection(theirs.shape[1], ours.shape[1])
        gaps = 1 - functional.cosine_similarity(ours, theirs, dim=1)
        return (gaps * torch.where(batch.remembered, self.remembered, self.new)).mean() + nothing


@cache
def _projection(theirs: int, ours: int) -> "torch.Tensor":
    """Float32 ``[theirs, ours]``, the same for the same widths; keeps lengths on average."""
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.randn(theirs, ours, generator=generator) / math.sqrt(ours)
