"""How far two answers of one head lie apart, text by text."""

from typing import TYPE_CHECKING

from freshtune.learn.losses.place import over_outputs

if TYPE_CHECKING:
    import torch

    from freshtune.model.heads import Head


def divergence(head: "Head", theirs: "torch.Tensor", ours: "torch.Tensor") -> "torch.Tensor":
    """Kullback-Leibler divergence of our answers from theirs, float32 ``[b]``: 0 where they agree.

    Over the classes, or of the other heads' outputs each as a yes or no of its own. Classes and names that they do not
    know count for nothing: of classes ours are compared as if the text were of one of the others.

    Args:
        theirs: the answers that are taken as true, logits ``[b, outputs]``; −∞ for a class that they do not know.
        ours: logits of the same shape.
    """
    import torch
    from torch.nn import functional

    known = theirs > -torch.inf
    if head.kind == "classes":
        log_theirs = functional.log_softmax(theirs, dim=1)
        log_ours = functional.log_softmax(ours.masked_fill(~known, -torch.inf), dim=1)
        gap = (log_theirs - log_ours).masked_fill(~known, 0)
        return (log_theirs.exp() * gap).sum(dim=1)
    theirs = theirs.masked_fill(~known, 0)
    above = torch.sigmoid(theirs)
    gap = functional.binary_cross_entropy_with_logits(ours, above, reduction="none")
    gap = gap - functional.binary_cross_entropy_with_logits(theirs, above, reduction="none")
    return over_outputs(head, gap.masked_fill(~known, 0))


def mutual_divergence(head: "Head", one: "torch.Tensor", other: "torch.Tensor") -> "torch.Tensor":
    """The mean of the divergences in both directions, float32 ``[b]``; the same from either side, never negative.

    Source: Jeffreys, *An invariant form for the prior probability in estimation problems*, 1946: half the sum of
    (p − q)(log p − log q).

    Args:
        one, other: logits ``[b, outputs]``; both may carry a gradient.
    """
    import torch
    from torch.nn import functional

    if head.kind == "classes":
        log_one, log_other = functional.log_softmax(one, dim=1), functional.log_softmax(other, dim=1)
        return ((log_one.exp() - log_other.exp()) * (log_one - log_other)).sum(dim=1) / 2
    return over_outputs(head, (torch.sigmoid(one) - torch.sigmoid(other)) * (one - other)) / 2
