"""Where on its scale a head's logits put an example, and where its label does."""

from typing import TYPE_CHECKING

from freshtune.model.heads.score import Score

if TYPE_CHECKING:
    import torch

    from freshtune.model.heads import Head

_MOST_LEVELS = 100
"""Steps that a real scale is divided into at most, however long it is."""


def said(head: "Head", logits: "torch.Tensor") -> "torch.Tensor":
    """The log-odds of the place on the scale, float32 ``[b]``, that ``head.answers`` calls the score.

    The place is the probability of the last class, or the expected value between lowest (0) and highest (1). Its
    log-odds put examples in the same order and do not saturate: 0 for a head of one class, which has no order.

    Args:
        logits: ``[b, outputs]``.
    """
    import torch
    from torch.nn import functional

    if head.kind == "classes":
        if head.outputs == 1:
            return logits[:, 0] * 0
        return logits[:, -1] - logits[:, :-1].logsumexp(dim=1)
    above = torch.cummin(logits, dim=1).values  # as the head reads it: P(y > k) must not rise with k
    return functional.logsigmoid(above).logsumexp(dim=1) - functional.logsigmoid(-above).logsumexp(dim=1)


def meant(head: "Head", targets: "torch.Tensor") -> "torch.Tensor":
    """The same place by the label, float32 ``[b]`` in [0, 1], of targets ``[b, outputs]``."""
    return targets[:, -1] if head.kind == "classes" else targets.mean(dim=1)


def levels(head: "Head", targets: "torch.Tensor") -> "torch.Tensor":
    """How much of each label falls on each class or step, ``[b, levels]``; a row sums to 1.

    A grade on a real scale counts for the nearest whole one.

    Args:
        targets: ``[b, outputs]``.
    """
    from torch.nn import functional

    if head.kind == "classes":
        return targets
    if isinstance(head, Score):
        steps = min(max(1, round(head.highest - head.lowest)), _MOST_LEVELS)
        return functional.one_hot((targets[:, 0] * steps).round().long(), steps + 1).to(targets.dtype)
    return functional.pad(targets, (1, 0), value=1.0) - functional.pad(targets, (0, 1))
