"""What all trials of a tuning start from: a model of the history alone, and what its trunk says of every example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.cycle.lessons import hidden, lesson, text_vectors
from freshtune.learn.fit import seeded
from freshtune.learn.memory.evidence import Evidence
from freshtune.records import Example
from freshtune.settings import Settings
from freshtune.ship.bundle import TEMPLATE, Bundle, write_top
from freshtune.ship.compression import Compression
from freshtune.tasks import Task
from freshtune.tune.material import Material

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel


@dataclass(frozen=True)
class Course:
    """A stream to be played by recipes.

    Attributes:
        start: what every recipe starts from, on the live release's trunk.
        template: of its tops.
        inputs: the trunk's output of each example, float32 ``[t, width]``, by id.
        compression: of what serves.
    """

    task: Task
    material: Material
    start: Bundle
    template: Path
    inputs: Mapping[str, NDArray[np.float32]]
    compression: Compression

    def inputs_of(self, examples: Sequence[Example]) -> list[NDArray[np.float32]]:
        """The trunk's output of each."""
        return [self.inputs[example.id] for example in examples]

    def released(self, weights: Mapping[str, "Tensor"], folder: Path) -> Bundle:
        """A top as it would ship, written into a folder and opened from there."""
        folder.mkdir(parents=True, exist_ok=True)
        write_top(self.template, weights, self.compression, folder)
        return replace(self.start, folder=folder)

    def evidence(self) -> Evidence:
        """What the start says of its history, for a memory to choose by."""
        inputs = self.inputs_of(self.material.history.learn)
        return Evidence(
            self.start.head,
            lambda: text_vectors(self.start.facts, inputs),
            lambda: self.start.predictor().logits_above(inputs),
        )


def course_of(task: Task, settings: Settings, champion: Bundle, material: Material, folder: Path) -> Course:
    """Read what the trunk says, mostly out of the cache, and train the start as a first release's top is trained.

    The trunk is the champion's. Where it was tuned on the history, it has seen what judges here, for all recipes alike.

    Args:
        folder: for the start's files.
    """
    from freshtune.cycle.first import first_top

    examples = material.examples
    read = hidden(examples, champion.tokens, champion.cached)
    inputs = {example.id: values for example, values in zip(examples, read, strict=True)}
    course = Course(task, material, champion, champion.folder / TEMPLATE, inputs, settings.ship.compression)
    history, cut = material.history.learn, champion.facts.cut
    seeded(settings.learn.first.seed)
    lessons = lesson(history, (), course.inputs_of(history), settings.learn.development)
    model = _untaught(champion, settings)
    begun = first_top(model, cut, champion.head, lessons, settings.learn)
    return replace(course, start=course.released(begun.weights, folder))


def _untaught(champion: Bundle, settings: Settings) -> "TextModel":
    """A model that has learned no label: above a whole network the head, which begins anew; else the backbone."""
    if champion.facts.cut == champion.facts.layers:
        return champion.top()
    from freshtune.model.backbone import open_backbone

    of = settings.model
    return open_backbone(champion.facts.backbone, None, champion.head.outputs, of.max_tokens, of.taps)[0]
