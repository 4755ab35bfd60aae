"""Ways to keep a model fresh, freshtune's among them, that play the same recorded stream."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from freshtune.model.heads import Head
from freshtune.model.predictor import Predictor
from freshtune.records import Example
from freshtune.rivals.ewc import Ewc
from freshtune.rivals.freshtune_loop import FreshtuneLoop
from freshtune.rivals.frozen import Frozen
from freshtune.rivals.linear import Linear
from freshtune.rivals.lora_trainer import LoraTrainer
from freshtune.rivals.naive import Naive
from freshtune.rivals.retrain import Retrain
from freshtune.rivals.textbook_retrain import TextbookRetrain, Took
from freshtune.rivals.tfidf_sgd import TfidfSgd
from freshtune.tasks import Task, answering


@dataclass(frozen=True)
class Setting:
    """What all strategies share.

    Attributes:
        backbone, max_tokens: as in ``[model]``.
        held_out: share of split keys that only judge, by the hash that the product splits with.
        folder: a strategy's own place for files, empty at first.
        recipe: settings in the form of ``--set``, for those that read any.
        classes: of the whole stream, where the task does not name them.
        unpadded: the loop everybody writes leaves out its padding: the same steps, but no measure of its time.
    """

    task: Task
    backbone: str
    max_tokens: int
    threads: int
    seed: int
    folder: Path
    held_out: float
    recipe: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    unpadded: bool = False

    @property
    def head(self) -> Head:
        """For strategies that must know all classes from the start."""
        return answering(self.task, self.classes).head()


class Strategy(Protocol):
    """One way to keep a model fresh. Built from a Setting; what ``begin`` and ``update`` take is timed."""

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:
        """Make the first model. Judges are held out: looked at by a gate at most, never learned."""

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:
        """Take in an increment."""

    @property
    def predictor(self) -> Predictor:
        """The model that answers now."""

    @property
    def trained_parameters(self) -> int:
        """Numbers that an update changes."""

    @property
    def update_bytes(self) -> int:
        """What must be sent to where the model answers, for the last update."""


@runtime_checkable
class TakesText(Protocol):
    """What a strategy has too that can use texts whose labels have not come yet."""

    def arrive(self, texts: tuple[Example, ...]) -> None:
        """Take in texts; of some the labels come with a later update, the others only judge."""


@runtime_checkable
class Extrapolates(Protocol):
    """What a strategy has too that is dear: it takes some steps of an update, and lays the time of it out from them."""

    @property
    def took(self) -> Took:
        """What the last update would have taken."""


STRATEGIES: Mapping[str, Callable[[Setting], Strategy]] = {
    "frozen": Frozen,
    "naive": Naive,
    "retrain": Retrain,
    "textbook-retrain": TextbookRetrain,
    "freshtune": FreshtuneLoop,
    "lora-trainer": LoraTrainer,
    "ewc": Ewc,
    "linear": Linear,
    "tfidf-sgd": TfidfSgd,
}
DEAR = frozenset({"retrain", "textbook-retrain"})
"""Those that begin again with all data: played at some increments only, they come to the same there."""
PADDED = frozenset({"naive", "ewc"})
"""Those that pad every text, and heed ``Setting.unpadded``."""
