"""Where on its scale a head's logits put an example, and where its label does; what yes-or-no outputs come to."""

from typing import TYPE_CHECKING

from freshtune.model.heads.score import Score

if TYPE_CHECKING:
    import torch

    from freshtune.model.heads import Head

_MOST_LEVELS = 100
"""Steps that a real scale is divided into at most, however long it is."""


def said(head: "Head", logits: "torch.Tensor") -> "torch.Tensor":
    """The log-odds of the place on the scale, float32 ``[b]``, that ``head.answers`` calls the score.

    The place is the probability of the last class, the expected value between lowest (0) and highest (1), or the
    expected share of several names that hold. Its
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
    above = logits
    if head.kind == "ordinal":
        above = torch.cummin(logits, dim=1).values  # as the head reads it: P(y > k) must not rise with k
    return functional.logsigmoid(above).logsumexp(dim=1) - functional.logsigmoid(-above).logsumexp(dim=1)


def meant(head: "Head", targets: "torch.Tensor") -> "torch.Tensor":
    """The same place by the label, float32 ``[b]`` in [0, 1], of targets ``[b, outputs]``."""
    return targets[:, -1] if head.kind == "classes" else targets.mean(dim=1)


def over_outputs(head: "Head", each: "torch.Tensor") -> "torch.Tensor":
    """What the outputs of a head that says yes or no come to, ``[b, outputs]`` → ``[b]``.

    The mean of a scale's thresholds, which are one question; of several names, each a question of its own, the sum, so
    that a name more does not weaken the others.
    """
    return each.sum(dim=1) if head.kind == "several" else each.mean(dim=1)


def levels(head: "Head", targets: "torch.Tensor") -> "torch.Tensor":
    """How much of each label falls on each class or step, ``[b, levels]``; a row sums to 1.

    A grade on a real scale counts for the nearest whole one.

    Args:
        targets: ``[b, outputs]``.
    """
    from torch.nn import functional

    if head.kind == "classes":
        return targets
    if head.kind == "several":
        return targets / targets.sum(dim=1, keepdim=True).clamp(min=1e-6)
    if isinstance(head, Score):
        steps = min(max(1, round(head.highest - head.lowest)), _MOST_LEVELS)
        return functional.one_hot((targets[:, 0] * steps).round().long(), steps + 1).to(targets.dtype)
    return functional.pad(targets, (1, 0), value=1.0) - functional.pad(targets, (0, 1))
