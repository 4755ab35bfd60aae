"""A release as a teacher: what it says of the log's texts, and the student that learns it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from freshtune.cycle.champion import bundle_of, live, require_same_head
from freshtune.cycle.gathering import Gathered
from freshtune.cycle.interrupted import DISTILLING, stage_of
from freshtune.cycle.lessons import hidden, inputs_of, text_vectors
from freshtune.errors import ConfigurationError
from freshtune.intake.held_out import is_development
from freshtune.learn.fit import Step
from freshtune.learn.imitation import Shown, imitate
from freshtune.learn.state import Run
from freshtune.learn.student import LIVE, Student
from freshtune.model.heads import Head
from freshtune.model.tokens import Tokens
from freshtune.model.trunk_cache import TrunkCache
from freshtune.records import Example, Provenance
from freshtune.settings import Settings
from freshtune.ship.bundle import Bundle
from freshtune.tasks import Task
from freshtune.workspace import Workspace

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel


@dataclass(frozen=True)
class Teacher:
    """A release that teaches: its id, and its model as it serves."""

    release: str
    bundle: Bundle


def teacher_of(shop: Workspace, task: Task, settings: Settings, cache: TrunkCache) -> Teacher | None:
    """The release that the settings name as teacher; None where they name none.

    Raises:
        NotFound: there is no such release, or none is live.
        ConfigurationError: it is another task's, or answers with other labels than the task has now.
    """
    name = settings.learn.student.teacher
    if not name:
        return None
    release = live(shop, task) if name == LIVE else shop.registry.get(shop.registry.summary(name).id)
    if release.task != task.name:
        raise ConfigurationError(
            f"{release.id} cannot teach {task.name}.", f"It answers {release.task}.", f"Name a release of {task.name}."
        )
    bundle = bundle_of(shop, release, settings.model, cache)
    require_same_head(task, bundle)
    return Teacher(release.id, bundle)


def taught(
    student: "TextModel",
    tokens: Tokens,
    teacher: Teacher,
    gathered: Gathered,
    settings: Settings,
    run: Run,
    on_step: Callable[[Step], None],
) -> list[Example]:
    """Let a student's whole network imitate its teacher; nothing that is held out is shown.

    Returns:
        What the student's head is fitted on: the labelled texts, and the others as the teacher answers them.
    """
    how, bundle = settings.learn.student, teacher.bundle
    labelled, others = list(gathered.delta.labelled), unlabelled(gathered, how, settings.learn.development)
    texts = [*labelled, *others]
    inputs = hidden(texts, bundle.tokens, bundle.cached)
    logits = bundle.predictor().logits_above(inputs)
    development = [is_development(example.split_key, settings.learn.development) for example in texts]
    shown = Shown(
        inputs=tokens.encode(inputs_of(texts)),
        targets=np.stack([_target(bundle.head, example) for example in texts]),
        weights=np.asarray(
            [
                0.0 if example.label is None or aside else example.weight
                for example, aside in zip(texts, development, strict=True)
            ],
            np.float32,
        ),
        answers=logits,
        vectors=text_vectors(bundle.facts, inputs),
    )
    stage = stage_of(run, DISTILLING, shown.inputs, [shown.answers, shown.vectors, shown.weights])
    imitate(student, bundle.head, shown, (how.imitation, how.loop), stage, on_step)
    if not how.taught_head:
        return labelled
    return [*labelled, *_answered(others, logits[len(labelled) :], teacher, how.taught_head)]


def unlabelled(gathered: Gathered, how: Student, development: float) -> list[Example]:
    """The texts without a label that a teacher is asked about, the latest ones; none of the development side."""
    if not how.unlabelled:
        return []
    latest = gathered.delta.unlabelled[-how.unlabelled :]
    return [example for example in latest if not is_development(example.split_key, development)]


def _target(head: Head, example: Example) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.zeros(head.outputs, np.float32) if example.label is None else head.target(example.label)


def _answered(
    examples: Sequence[Example],
    logits: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    teacher: Teacher,
    weight: float,
) -> list[Example]:
    """Examples with the teacher's answers as soft labels."""
    answers = teacher.bundle.head.answers(logits) if len(examples) else None
    made = []
    for row, example in enumerate(examples):
        assert answers is not None  # noqa: S101
        chances = answers.probabilities[row]
        label = tuple(map(float, chances)) if len(chances) else float(answers.score[row])
        said = Provenance("pseudo", teacher.release, float(chances.max()) if len(chances) else None)
        made.append(replace(example, label=label, weight=example.weight * weight, provenance=said))
    return made
