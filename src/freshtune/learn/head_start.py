"""Where a head begins: before its first fit, again, or with answers that have come."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.learn.lesson import Lesson
from freshtune.model.heads import Head

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel

_RARE = 1e-3
"""No answer is rarer than this where a head begins."""


def begin_with_the_usual(model: "TextModel", head: Head, lesson: Lesson) -> None:
    """Let a head begin where it answers each text as all texts are answered on average, and reads what it reads
    standardised: few steps lead from there, however rare an answer is.

    Args:
        lesson: its inputs are what the head reads, ``[taps, width]`` each, and rows with the places of words.
    """
    import torch

    taps = len(model.architecture.read)
    read = np.stack([rows[:taps].ravel() for rows in lesson.inputs]).astype(np.float32)
    model.head.standardise(torch.from_numpy(read))
    model.head.begin(usual(head, lesson))


def begin_again(model: "TextModel", head: Head, lesson: Lesson) -> None:
    """Let a head that has grown begin as a first one does; what it reads stays standardised as it was, and what an
    inner layer sees in it stays too, so that the answers are no others than they must be.

    Measured on classes that arrive in groups (``benchmarks/growing``): going on from the champion's weights loses two
    to ten times as much of the old classes.
    """
    model.head.grow(model.head.bias.new_zeros(head.outputs - model.head.out_features))
    model.head.silence(usual(head, lesson))


def lean_to_the_usual(model: "TextModel", head: Head, lesson: Lesson) -> None:
    """Let a head that is not fitted first answer as all texts are answered on average, before what it reads counts."""
    import torch

    with torch.no_grad():
        model.head.bias.copy_(usual(head, lesson))


def usual(head: Head, lesson: Lesson) -> "Tensor":
    """Logits ``[outputs]`` that answer as the lesson's labels do on average."""
    import torch

    targets = [head.target(example.label) for example in lesson.examples if example.label is not None]
    shares = torch.from_numpy(np.mean(targets, axis=0)).clamp(_RARE, 1 - _RARE)
    return shares.log() if head.kind == "classes" else shares.logit()


def grow(model: "TextModel", head: Head, lesson: Lesson, teacher: NDArray[np.float32]) -> None:
    """Give a champion the outputs that its head has gained, what the others say unchanged.

    To begin with, each new class is as likely for every text as it is frequent in the lesson.

    Args:
        teacher: the champion's logits of the lesson's rows, float32 ``[n, outputs]``.
    """
    import torch

    known = model.head.out_features
    if head.outputs == known:
        return
    if head.kind == "several":
        model.head.grow(usual(head, lesson)[known:])
        return
    shares = usual(head, lesson)[known:].exp()
    said = torch.from_numpy(teacher[:, :known]).logsumexp(dim=1).mean()
    model.head.grow(shares.log() - (1 - shares.sum()).clamp(min=_RARE).log() + said)
