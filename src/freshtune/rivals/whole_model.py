"""A whole model in PyTorch, trained in a plain loop: what the usual strategies are made of."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.learn.batches import padded
from freshtune.learn.fit import precision, predict, seeded
from freshtune.learn.schedules import scheduled
from freshtune.learn.schedules.linear import Linear
from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.records import Example

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel
    from freshtune.model.tokens import Tokens
    from freshtune.rivals import Setting

_BYTES = 4


@dataclass(frozen=True)
class Loop:
    """How a plain loop runs.

    Attributes:
        padded_to: every text is padded to so many tokens; 0 pads a batch to its longest text only.
        pieces: a batch is taken in so many pieces of like length, their gradients summed: those of the whole batch.
        by_length: batches are made of texts of like length.
        fp32: whatever the CPU multiplies in hardware.
    """

    epochs: int
    batch: int
    learning_rate: float
    padded_to: int = 0
    pieces: int = 1
    by_length: bool = False
    fp32: bool = False
    warmup: float = 0.1
    weight_decay: float = 0.01

    def steps(self, examples: int) -> int:
        """Of the optimiser, over so many examples.

        >>> Loop(epochs=5, batch=16, learning_rate=2e-5).steps(17)
        10
        """
        return self.epochs * math.ceil(examples / self.batch)


EVERYBODYS = Loop(epochs=5, batch=16, learning_rate=2e-5, padded_to=128, fp32=True)
"""The loop that everybody writes."""
UNPADDED = replace(EVERYBODYS, padded_to=0, pieces=4)
"""The same steps without the arithmetic that padding wastes: for what they come to, not for how long they take."""
WELL_DONE = Loop(epochs=3, batch=16, learning_rate=5e-5, by_length=True)
"""How a whole model is tuned with care; all of these strategies begin so, and differ in their updates alone."""


class WholeModel:
    """A text model with a linear head, all of it trainable. A Predictor.

    Args:
        setting: backbone, longest input and seed.
    """

    def __init__(self, setting: "Setting") -> None:
        from freshtune.model.backbone import open_backbone

        seeded(setting.seed)
        self.setting = setting
        self._head = setting.head
        self.model: TextModel
        self.tokens: Tokens
        self.model, self.tokens = open_backbone(setting.backbone, None, self._head.outputs, setting.max_tokens)

    @property
    def head(self) -> Head:
        return self._head

    @property
    def parameters(self) -> int:
        """Numbers that can be trained."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def bytes(self) -> int:
        """Of the whole model in fp32."""
        return _BYTES * self.parameters

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        """Logits ``[n, outputs]``, in batches by length."""
        return predict(self.model, 0, self.tokens.encode(inputs))

    def tune(self, examples: Sequence[Example], loop: Loop, penalty: "Callable[[], Tensor] | None" = None) -> None:
        """Train on examples.

        Args:
            penalty: added to the loss of each step.
        """
        for _ in self.steps(examples, loop, penalty):
            pass
        self.model.eval()

    def steps(
        self, examples: Sequence[Example], loop: Loop, penalty: "Callable[[], Tensor] | None" = None
    ) -> Generator[None, None, None]:
        """Train step by step; yields after each."""
        import torch

        self.model.requires_grad_(True).train()
        optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=loop.learning_rate, weight_decay=loop.weight_decay, foreach=False
        )
        ids, targets = self.material(examples)
        plan = list(self._batches([len(row) for row in ids], loop))
        for number, rows in enumerate(plan):
            rate = scheduled(Linear(), number, len(plan), loop.warmup)
            for group in optimiser.param_groups:
                group["lr"] = loop.learning_rate * rate
            padded_to = min(loop.padded_to, self.setting.max_tokens)
            for piece in _pieces(rows, ids, loop.pieces):
                with nullcontext() if loop.fp32 else precision():
                    loss = self.loss([ids[row] for row in piece], targets[piece], padded_to) * (len(piece) / len(rows))
                _descend(loss)
            if penalty is not None:
                _descend(penalty())
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, foreach=False)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            yield

    def loss(self, ids: Sequence[NDArray[np.int32]], targets: NDArray[np.float32], padded_to: int = 0) -> "Tensor":
        """Mean supervised loss of some texts' ids ``[t_i]`` and targets ``[b, outputs]``."""
        import torch

        inputs, mask = padded(ids)
        if padded_to > inputs.shape[1]:
            more = (0, padded_to - inputs.shape[1])
            inputs, mask = (torch.nn.functional.pad(part, more) for part in (inputs, mask))
        logits = self.model(inputs, mask)
        return _loss(self._head, logits.float(), torch.from_numpy(targets))

    def material(self, examples: Sequence[Example]) -> tuple[list[NDArray[np.int32]], NDArray[np.float32]]:
        """Ids and targets of examples."""
        ids = self.tokens.encode([Input(row.text, row.pair) for row in examples])
        return ids, np.stack([self._head.target(row.label) for row in examples if row.label is not None])

    def _batches(self, lengths: Sequence[int], loop: Loop) -> Iterator[NDArray[np.int64]]:
        random = np.random.default_rng(self.setting.seed)
        for _ in range(loop.epochs):
            order = random.permutation(len(lengths))
            if loop.by_length:
                keys = np.asarray(lengths)[order] + random.uniform(0, 8, len(order))
                order = order[np.argsort(keys, kind="stable")]
            batches = [order[start : start + loop.batch] for start in range(0, len(order), loop.batch)]
            yield from (batches[place] for place in random.permutation(len(batches)))


class WholeModelStrategy:
    """What the strategies that train a whole model have in common: it answers, and an update changes and sends it."""

    def __init__(self, setting: "Setting") -> None:
        self.setting = setting
        self._whole = WholeModel(setting)
        self._everybodys = UNPADDED if setting.unpadded else EVERYBODYS

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._whole.tune(history, WELL_DONE)

    @property
    def predictor(self) -> WholeModel:
        return self._whole

    @property
    def trained_parameters(self) -> int:
        return self._whole.parameters

    @property
    def update_bytes(self) -> int:
        return self._whole.bytes


def _pieces(rows: NDArray[np.int64], ids: Sequence[NDArray[np.int32]], count: int) -> Iterator[NDArray[np.int64]]:
    """A batch, the longest texts last."""
    by_length = rows[np.argsort([len(ids[row]) for row in rows], kind="stable")]
    yield from (piece for piece in np.array_split(by_length, count) if len(piece))


def _descend(loss: "Tensor") -> None:
    """Add a loss's gradients."""
    if not math.isfinite(float(loss.detach())):
        raise FloatingPointError("the loss is not finite")
    loss.backward()  # type: ignore[no-untyped-call]


def _loss(head: Head, logits: "Tensor", targets: "Tensor") -> "Tensor":
    from torch.nn import functional

    if head.kind == "classes":
        return functional.cross_entropy(logits, targets)
    return functional.binary_cross_entropy_with_logits(logits, targets)
