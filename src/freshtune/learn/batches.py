"""Examples as tensors: batches filled by length, never padded to a fixed maximum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.learn.losses.place import levels
from freshtune.model.heads import Head

if TYPE_CHECKING:
    import torch

_JITTER = 8
"""Tokens of random noise on a length before sorting: neighbours change from epoch to epoch, padding hardly grows."""


@dataclass(frozen=True)
class TrainingSet:
    """What the loop learns from, one row an example.

    Attributes:
        head: what the model's logits mean.
        inputs: what the first trained layer reads: the trunk's output, float ``[t, width]``, or token ids, int ``[t]``.
        targets: float32 ``[n, outputs]``; see ``Head.target``.
        weights: float32 ``[n]``, factor of each example's supervised loss.
        remembered: bool ``[n]``, True for examples out of memory.
        teacher: the champion's logits, float32 ``[n, outputs]``; None where there is no teacher.
        groups: int64 ``[n]``, the same for rows that are compared with each other and so must meet in one batch;
            None where no term compares rows.
        teacher_vectors: what a teacher's head reads of each text, float32 ``[n, its taps * its width]``, of whatever
            network; None where no term follows them.
    """

    head: Head
    inputs: Sequence[NDArray[np.generic]]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    remembered: NDArray[np.bool_]
    teacher: NDArray[np.float32] | None = None
    groups: NDArray[np.int64] | None = None
    teacher_vectors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def counts(self) -> "torch.Tensor":
        """Examples of each class, or of each step of the scale, float32 ``[levels]``; a soft label counts in parts."""
        import torch

        return levels(self.head, torch.from_numpy(self.targets)).sum(dim=0)


@dataclass(frozen=True)
class Batch:
    """One step's tensors; fields as in TrainingSet, inputs padded.

    Attributes:
        inputs: float32 ``[b, t, width]`` or int64 ``[b, t]``.
        attention_mask: int64 ``[b, t]``, 1 on real tokens.
        counts: of the whole training set, see ``TrainingSet.counts``; None where it is not known.
    """

    head: Head
    inputs: "torch.Tensor"
    attention_mask: "torch.Tensor"
    targets: "torch.Tensor"
    weights: "torch.Tensor"
    remembered: "torch.Tensor"
    teacher: "torch.Tensor | None"
    groups: "torch.Tensor | None" = None
    counts: "torch.Tensor | None" = None
    teacher_vectors: "torch.Tensor | None" = None


def length_batches(
    lengths: Sequence[int], tokens: int, shuffled_by: np.random.Generator | None = None
) -> list[NDArray[np.int64]]:
    """Group rows of like length so that a batch, padded to its longest, holds at most ``tokens`` tokens.

    Args:
        lengths: tokens of each row.
        tokens: budget of a batch; a single longer row is a batch of its own.
        shuffled_by: where given, neighbours and the order of batches are random.

    >>> [batch.tolist() for batch in length_batches([5, 1, 4, 1], tokens=12)]
    [[1, 3, 2], [0]]
    """
    keys = np.asarray(lengths, np.float64)
    if shuffled_by is not None:
        keys = keys + shuffled_by.uniform(0, _JITTER, len(keys))
    batches = _filled([[int(row)] for row in np.argsort(keys, kind="stable")], lengths, tokens)
    if shuffled_by is not None:
        batches = [batches[place] for place in shuffled_by.permutation(len(batches))]
    return [np.asarray(batch) for batch in batches]


def group_batches(
    lengths: Sequence[int], groups: NDArray[np.int64], tokens: int, shuffled_by: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Like :func:`length_batches`, but rows of one group meet in one batch, as many as its budget takes.

    Args:
        lengths: tokens of each row.
        groups: int64 ``[n]``; a group that is too large for a batch is parted anew each time.
        tokens: budget of a batch.
        shuffled_by: neighbours and the order of batches are random.

    >>> found = group_batches([5, 1, 4, 1], np.asarray([0, 1, 1, 0]), 10, np.random.default_rng(0))
    >>> sorted(sorted(batch.tolist()) for batch in found)
    [[0, 3], [1, 2]]
    """
    mixed = shuffled_by.permutation(len(lengths))
    rows = mixed[np.argsort(groups[mixed], kind="stable")]
    together = np.split(rows, np.flatnonzero(np.diff(groups[rows])) + 1) if len(rows) else []
    parts = [part for group in together for part in _filled([[int(row)] for row in group], lengths, tokens)]
    keys = [max(lengths[row] for row in part) + shuffled_by.uniform(0, _JITTER) for part in parts]
    batches = _filled([parts[place] for place in np.argsort(keys, kind="stable")], lengths, tokens)
    return [np.asarray(batches[place]) for place in shuffled_by.permutation(len(batches))]


def _filled(parts: Sequence[Sequence[int]], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Parts one after another, a new batch where the last one, padded to its longest row, would exceed its budget."""
    batches: list[list[int]] = []
    longest = 0
    for part in parts:
        here = max(lengths[row] for row in part)
        longest = max(longest, here)
        if not batches or longest * (len(batches[-1]) + len(part)) > tokens:
            batches.append([])
            longest = here
        batches[-1].extend(part)
    return batches


def assemble(examples: TrainingSet, rows: NDArray[np.int64]) -> Batch:
    """Pad some rows of a training set into one batch."""
    import torch

    inputs, attention_mask = padded([examples.inputs[row] for row in rows])
    return Batch(
        head=examples.head,
        inputs=inputs,
        attention_mask=attention_mask,
        targets=torch.from_numpy(examples.targets[rows]),
        weights=torch.from_numpy(examples.weights[rows]),
        remembered=torch.from_numpy(examples.remembered[rows]),
        teacher=None if examples.teacher is None else torch.from_numpy(examples.teacher[rows]),
        groups=None if examples.groups is None else torch.from_numpy(examples.groups[rows]),
        counts=examples.counts,
        teacher_vectors=None if examples.teacher_vectors is None else torch.from_numpy(examples.teacher_vectors[rows]),
    )


def padded(inputs: Sequence[NDArray[np.generic]]) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Pad with zeros to the longest: ``[b, t, …]``, int64 for ids, else float32, and its mask, int64 ``[b, t]``."""
    import torch

    longest = max(len(row) for row in inputs)
    kind = np.int64 if np.issubdtype(inputs[0].dtype, np.integer) else np.float32
    block = np.zeros((len(inputs), longest, *inputs[0].shape[1:]), kind)
    mask = np.zeros((len(inputs), longest), np.int64)
    for place, row in enumerate(inputs):
        block[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return torch.from_numpy(block), torch.from_numpy(mask)


def epochs(examples: TrainingSet, tokens: int, count: int, seed: int) -> Iterator[tuple[int, list[NDArray[np.int64]]]]:
    """The batches of each epoch; their order depends on the seed and the epoch alone, so that a run can resume."""
    lengths = [len(row) for row in examples.inputs]
    for epoch in range(count):
        random = np.random.default_rng([seed, epoch])
        if examples.groups is None:
            yield epoch, length_batches(lengths, tokens, random)
        else:
            yield epoch, group_batches(lengths, examples.groups, tokens, random)
