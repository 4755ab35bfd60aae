"""Rank by lists: the share of each answer to a query is to be as its label says."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.place import meant, said

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class Listwise:
    """Divergence of the scores' softmax within a group from the labels'; no pass beyond the step's own.

    Σ p · (log p − log q) over the rows of one group, where q is the softmax of their log-odds of the place on the
    scale (for a score: of their logits) and p the softmax of the labels' place over ``temperature``.
    Source: Cao et al., *Learning to rank: from pairwise approach to listwise approach*, 2007 (ListNet, top one); less
    the labels' own entropy, so that it is 0 where the order and the gaps are right.

    Attributes:
        temperature: on the labels' place in [0, 1]; the smaller, the more only the best rows count.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    temperature: Annotated[float, Field(ge=0.01, le=100)] = 0.25
    name: Literal["listwise"] = "listwise"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained | None" = None) -> "torch.Tensor":  # noqa: ARG002
        """Mean over the groups of two rows and more, each with the mean weight of its rows; 0 without one."""
        if batch.groups is None:
            return logits.sum() * 0
        same = batch.groups[:, None] == batch.groups
        size = same.sum(dim=1)
        wanted = _log_share(meant(batch.head, batch.targets) / self.temperature, same)
        each = wanted.exp() * (wanted - _log_share(said(batch.head, logits), same))
        weights = (same * batch.weights).sum(dim=1) / size
        groups = (size > 1).div(size).sum().clamp(min=1)
        return (each * weights).sum() / groups


def _log_share(values: "torch.Tensor", same: "torch.Tensor") -> "torch.Tensor":
    """Log-softmax of each value within its group, ``[b]``."""
    return values - values.expand(same.shape).masked_fill(~same, float("-inf")).logsumexp(dim=1)
