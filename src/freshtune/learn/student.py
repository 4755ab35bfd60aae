"""``[learn.student]``: a light model that a release teaches."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from freshtune.learn.fit import Fit
from freshtune.learn.imitation import Imitation
from freshtune.model.shortening import Keep

LIVE = "live"
"""The teacher's name where it is whichever release is live."""


@dataclass(frozen=True)
class Student:
    """How ``freshtune train`` makes a light student of a heavier release.

    First the whole network learns to imitate the teacher, then the usual head is fitted on its frozen trunk.

    Attributes:
        teacher: the id of a release of the task, or ``live``; empty makes no student.
        layers: of the backbone that stay; left out, all of them.
        keep: which ones: at ``even`` distances, or the ``lower`` ones.
        unlabelled: texts without a label that the teacher is asked about, the latest ones; 0 takes none.
        taught_head: weight of the teacher's answers to those texts, beside 1 of a label, where the head is fitted.
        imitation: what of the teacher is learned.
        epochs: passes over all that is shown.
        batch_tokens: tokens of a batch, padding included, at most.
        learning_rate: at the top of the schedule, of every layer; the head's is ``head_rate_ratio`` times as high.
        checkpoint_seconds: a checkpoint is written when this long has passed since the last.
        seed: of order, dropout and new heads.
    """

    teacher: str = ""
    layers: Annotated[int, Field(ge=1)] | None = None
    keep: Keep = "even"
    unlabelled: Annotated[int, Field(ge=0)] = 20_000
    taught_head: Annotated[float, Field(ge=0, le=1)] = 1.0
    imitation: Imitation = Imitation()
    epochs: Annotated[int, Field(ge=1)] = 3
    batch_tokens: Annotated[int, Field(ge=1)] = 1_200
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2e-4
    head_rate_ratio: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 30.0
    seed: int = 0

    @property
    def loop(self) -> Fit:
        """The same for the one loop."""
        return Fit(
            epochs=self.epochs,
            batch_tokens=self.batch_tokens,
            learning_rate=self.learning_rate,
            head_rate_ratio=self.head_rate_ratio,
            dropout=self.dropout,
            checkpoint_seconds=self.checkpoint_seconds,
            seed=self.seed,
        )
