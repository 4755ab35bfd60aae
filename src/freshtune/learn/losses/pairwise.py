"""Rank by pairs: of two answers to one query the better one is to come first."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.place import meant, said

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class Pairwise:
    """Mean over all pairs of a group with different labels; no pass beyond the step's own, b² numbers for b rows.

    The gap is the difference of the two log-odds of the place on the scale: for a score the difference of logits.

    ============  ==============================
    form          term of a pair
    ============  ==============================
    ``logistic``  log(1 + exp(−gap))
    ``hinge``     max(0, margin − gap)
    ============  ==============================

    Source: Burges et al., *Learning to rank using gradient descent*, 2005 (RankNet); Herbrich, Graepel and Obermayer,
    *Large margin rank boundaries for ordinal regression*, 2000.

    Attributes:
        margin: of the hinge, in log-odds.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    form: Literal["logistic", "hinge"] = "logistic"
    margin: Annotated[float, Field(gt=0, le=100)] = 1.0
    name: Literal["pairwise"] = "pairwise"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained | None" = None) -> "torch.Tensor":  # noqa: ARG002
        """Mean over the pairs, each with the product of its two weights; 0 where no two rows can be compared."""
        from torch.nn import functional

        if batch.groups is None:
            return logits.sum() * 0
        score, wish = said(batch.head, logits), meant(batch.head, batch.targets)
        better, worse = (
            (batch.groups[:, None] == batch.groups) & (wish[:, None] > wish)
        ).nonzero(as_tuple=True)  # fmt: skip
        if not len(better):
            return logits.sum() * 0
        gap = score[better] - score[worse]
        each = functional.softplus(-gap) if self.form == "logistic" else functional.relu(self.margin - gap)
        return (each * batch.weights[better] * batch.weights[worse]).mean()
