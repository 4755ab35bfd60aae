"""From a champion's top and some examples to a challenger's: what the loop is fed, and what becomes of its weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from freshtune.errors import ConfigurationError
from freshtune.learn.batches import TrainingSet
from freshtune.learn.fit import Fit, FitReport, Step, averaged, fit, seeded, supervised_loss, vectors
from freshtune.learn.head_start import begin_again, grow, lean_to_the_usual
from freshtune.learn.lesson import Lesson
from freshtune.learn.losses import COMPARING, LABELLED, TAUGHT, Loss
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.hidden_states import HiddenStates
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.memory import Memory
from freshtune.learn.memory.balanced import Balanced
from freshtune.learn.state import Run
from freshtune.model.adapters import Adapter, Prunes
from freshtune.model.adapters.above_cut import require_above
from freshtune.model.adapters.full import Full
from freshtune.model.adapters.head_only import HeadOnly
from freshtune.model.adapters.settling import settled
from freshtune.model.adapters.unmerged import cannot_merge
from freshtune.model.heads import Head
from freshtune.records import Example

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel

_ENOUGH = 10
"""Remembered examples a class from which on a head that grows can begin again."""


HEAD_FIT = Fit(
    epochs=15, batch_tokens=1_000, learning_rate=1e-3, head_rate_ratio=1.0, weight_decay=10.0, dropout=0.0,
    evaluate_every=50,
)  # fmt: skip
"""How a head is fitted to what a trunk says: cheap enough to go through all that is remembered. Weight decay holds it:
more numbers are read of a text than there are texts."""
FIRST_HEAD_FIT = replace(HEAD_FIT, epochs=20)
"""The same where a head begins from nothing."""


@dataclass(frozen=True)
class TrunkTuning:
    """How the trunk is made from the pretrained one: before a first release's top is fitted, and in a refresh.

    All layers learn the task, and the average of their weights with the pretrained ones is what stays: it knows the
    task and has not lost what it knew beyond the history. Source: Wortsman et al., *Robust fine-tuning of zero-shot
    models*, 2022.

    Attributes:
        share: of the tuned weights in the average; 0 trains nothing and keeps the pretrained trunk.
        most: examples that it learns from at most, evenly over classes and categories: what bounds its price.
        refresh: the trunk is made again once its shop knows so many times what it knew when that was made, or what it
            remembers where that is less; 0 never.
        adapter: which weights learn; one that merges.
        fit: how the loop runs.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    most: Annotated[int, Field(ge=1)] = 2_000
    refresh: Annotated[float, Field(ge=0)] = 4.0
    adapter: Adapter = Full()
    fit: Fit = Fit(epochs=1, learning_rate=1e-4)

    def __post_init__(self) -> None:
        if not self.adapter.merges:
            raise cannot_merge(self.adapter)
        if 0 < self.refresh <= 1:
            raise ConfigurationError(
                f"learn.trunk.refresh is {self.refresh:g}.",
                "A shop knows once what it knew at once, so that every update would be followed by a refresh.",
                "Set it above 1, such as 4.0, or to 0 for no refresh.",
            )


@dataclass(frozen=True)
class Learn:
    """How a challenger is made from a champion.

    What stands here is for a head alone; :func:`freshtune.learn.suited.suited` has what suits another adapter.

    Attributes:
        trunk: how the trunk is made where there is no champion.
        first: how the loop runs where there is no champion, over all history, and where a head begins again.
        fit: how it runs in an update.
        adapter: which weights learn.
        losses: terms of the sum.
        memory: what is remembered, and how much of it mixes in.
        average: shares of the tuned weights that are tried against the champion's: the one with the lowest loss on
            development data, and where the gate finds that it forgets, the smaller ones after it.
        development: share of the training side that is only looked at, in [0, 1).
    """

    trunk: TrunkTuning = TrunkTuning()
    first: Fit = FIRST_HEAD_FIT
    fit: Fit = HEAD_FIT
    adapter: Adapter = HeadOnly()
    losses: tuple[Loss, ...] = (Supervised(new=2.0), Distillation(remembered=1.0))
    memory: Memory = Balanced()
    average: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.4, 0.7, 1.0)
    development: Annotated[float, Field(ge=0, lt=1)] = 0.1

    def __post_init__(self) -> None:
        if not any(term.weight > 0 for term in self.losses):
            raise ConfigurationError(
                "learn.losses holds nothing to learn by.",
                "There is no term of a weight above 0.",
                'Add one, such as {name = "supervised"}.',
            )
        if not self.average:
            raise ConfigurationError(
                "learn.average is empty.",
                "It says how much of the tuned weights stays.",
                "Set one share or several, such as [0.5]; [1.0] keeps them as they are.",
            )


@dataclass(frozen=True)
class Challenger:
    """What an update learned.

    Attributes:
        weights: of the whole top, by name.
        share: of the tuned weights in the average.
        report: of the loop.
        learned: what was learned before the average, as small as the adapter keeps it, by name; see
            :func:`freshtune.model.adapters.settling.learned`.
        shorter: the same with smaller shares of the tuned weights, the largest first.
    """

    weights: Mapping[str, "Tensor"]
    share: float
    report: FitReport
    learned: Mapping[str, "Tensor"]
    shorter: tuple["Challenger", ...] = ()


def tune(
    model: "TextModel",
    cut: int,
    head: Head,
    lesson: Lesson,
    teacher: NDArray[np.float32],
    settings: Learn,
    run: Run | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Challenger:
    """Tune a champion's top on a lesson; ``model`` ends with the challenger's weights.

    Args:
        model: the champion.
        head: the champion's; where it has grown since, so does the model's. A head alone that is remembered enough
            for begins again, as a first one does, rather than go on: classes that come later would else start far
            behind the others.
        teacher: its logits of the lesson's rows, float32 ``[n, outputs]``; −∞ for classes that it does not know.

    Raises:
        ConfigurationError: the adapter trains below the cut, where the inputs were computed once and for all.
    """
    require_above(settings.adapter, model.layers, cut)
    known = model.head.out_features
    again = head.outputs > known and cut == model.layers and lesson.remembered.sum() >= _ENOUGH * known
    if again:
        begin_again(model, head, lesson)
    else:
        grow(model, head, lesson, teacher)
    terms, how = (_even(settings.losses), settings.first) if again else (settings.losses, settings.fit)
    lesson = _followed(model, cut, lesson, terms)
    seeded(how.seed)
    settings.adapter.attach(model)
    champion = {name: weight.clone() for name, weight in model.top_state(cut).items()}  # new parts as they begin
    sides, told = _sides(lesson, head, teacher, terms), _pruning(settings.adapter, model, on_step)
    report = fit(model, cut, *sides, terms, how, run, told)
    learned = settled(settings.adapter, model)
    tuned = {name: weight.clone() for name, weight in model.top_state(cut).items()}
    mixed = partial(_mixed, tuned, champion, known)
    shares = (1.0,) if again else settings.average
    share = _best_share(model, cut, mixed, shares, sides[1])
    model.load_top(mixed(share))
    less = sorted((each for each in shares if each < share), reverse=True)
    shorter = tuple(Challenger(mixed(each), each, report, learned) for each in less)
    return Challenger(model.top_state(cut), share, report, learned, shorter)


def begin(
    model: "TextModel",
    cut: int,
    head: Head,
    lesson: Lesson,
    settings: Learn,
    run: Run | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Challenger:
    """Train a first model: no teacher, no average. All loss terms apply but those with a teacher."""
    settings.adapter.attach(model)
    terms = _terms_of_a_beginning(settings.losses)
    told = _pruning(settings.adapter, model, on_step)
    report = fit(model, cut, *_sides(lesson, head, None, terms), terms, settings.first, run, told)
    learned = settled(settings.adapter, model)
    return Challenger(model.top_state(cut), 1.0, report, learned)


def tune_trunk(
    model: "TextModel",
    head: Head,
    lesson: Lesson,
    settings: Learn,
    run: Run | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> None:
    """Teach a pretrained model the task, and take the average of both; the head that helped is put back.

    Args:
        lesson: its inputs are token ids.
    """
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    lean_to_the_usual(model, head, lesson)
    adapter, terms = settings.trunk.adapter, _terms_of_a_beginning(settings.losses)
    adapter.attach(model)
    told = _pruning(adapter, model, on_step)
    fit(model, 0, *_sides(lesson, head, None, terms), terms, settings.trunk.fit, run, told)
    settled(adapter, model)
    tuned = {name: weight.clone() for name, weight in model.state_dict().items()}
    kept = {name: before[name] for name in before if name.startswith("head.")}
    model.load_state_dict(averaged(tuned, before, settings.trunk.share) | kept)


def _mixed(
    tuned: Mapping[str, "Tensor"], champion: Mapping[str, "Tensor"], known: int, share: float
) -> dict[str, "Tensor"]:
    """The average of both; outputs that the champion did not know are taken whole."""
    import torch

    mixed = averaged(tuned, champion, share)
    for name in ("head.weight", "head.bias", "head.outer.weight"):
        if name in mixed:
            mixed[name] = torch.cat([mixed[name][:known], tuned[name][known:]])
    if "head.words.weight" in mixed:
        parts = mixed["head.words.weight"][:, :known], tuned["head.words.weight"][:, known:]
        mixed["head.words.weight"] = torch.cat(parts, dim=1)
    return mixed


def _terms_of_a_beginning(losses: Sequence[Loss]) -> list[Loss]:
    """All terms apply but those with a teacher; where none of them learns labels, the supervised one does."""
    terms = [term for term in losses if term.weight > 0 and not isinstance(term, TAUGHT)]
    return terms if any(isinstance(term, LABELLED) for term in terms) else [Supervised(), *terms]


def _even(losses: Sequence[Loss]) -> tuple[Loss, ...]:
    """The same, but that new labels weigh no more than old ones: a head that begins again has no lead to make up for,
    and would take old texts for new classes."""
    return tuple(replace(term, new=min(term.new, 1.0)) if isinstance(term, Supervised) else term for term in losses)


def _followed(model: "TextModel", cut: int, lesson: Lesson, terms: Sequence[Loss]) -> Lesson:
    """The lesson with the champion's vectors, where a term follows them."""
    wanted = any(isinstance(term, HiddenStates) and term.weight > 0 for term in terms)
    if not wanted or lesson.teacher_vectors is not None or not len(lesson.inputs):
        return lesson
    return replace(lesson, teacher_vectors=vectors(model, cut, lesson.inputs))


def _pruning(adapter: Adapter, model: "TextModel", on_step: Callable[[Step], None]) -> Callable[[Step], None]:
    """What the loop tells after each step: the adapter first, where it prunes."""
    if not isinstance(adapter, Prunes):
        return on_step

    def told(step: Step) -> None:
        adapter.prune(model, step.number / step.total)
        on_step(step)

    return told


def _sides(
    lesson: Lesson, head: Head, teacher: NDArray[np.float32] | None, terms: Sequence[Loss]
) -> tuple[TrainingSet, TrainingSet]:
    compared = any(isinstance(term, COMPARING) and term.weight > 0 for term in terms)

    def of(rows: NDArray[np.int64]) -> TrainingSet:
        examples = [lesson.examples[row] for row in rows]
        targets = [head.target(example.label) for example in examples if example.label is not None]
        return TrainingSet(
            head=head,
            inputs=[lesson.inputs[row] for row in rows],
            targets=np.stack(targets) if targets else np.empty((0, head.outputs), np.float32),
            weights=np.asarray([example.weight for example in examples], np.float32),
            remembered=lesson.remembered[rows],
            teacher=None if teacher is None else teacher[rows],
            groups=_groups(examples) if compared else None,
            teacher_vectors=None if lesson.teacher_vectors is None else lesson.teacher_vectors[rows],
        )

    return of(np.flatnonzero(~lesson.development)), of(np.flatnonzero(lesson.development))


def _groups(examples: Sequence[Example]) -> NDArray[np.int64]:
    """A number for each split key, which is the query where answers to one are ranked; one without is alone."""
    numbers: dict[object, int] = {}
    keys = [example.split_key or (row,) for row, example in enumerate(examples)]
    return np.asarray([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _best_share(
    model: "TextModel",
    cut: int,
    mixed: Callable[[float], Mapping[str, "Tensor"]],
    shares: Sequence[float],
    development: TrainingSet,
) -> float:
    if len(shares) == 1 or not len(development):
        return shares[0]
    losses = {}
    for share in shares:
        model.load_top(mixed(share))
        losses[share] = supervised_loss(model, cut, development)
    return min(losses, key=lambda share: losses[share])
