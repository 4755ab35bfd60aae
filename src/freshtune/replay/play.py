"""A strategy plays a stream: what arrives is learned, timed, and then judged on everything that has arrived."""

import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from freshtune.judge.evaluate import evaluate
from freshtune.judge.metrics import METRICS, measure
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.records import Example, Outcome
from freshtune.replay.stream import Increment, Stream
from freshtune.rivals import Extrapolates, Strategy, TakesText
from freshtune.rivals.textbook_retrain import Took
from freshtune.tasks import Task


@dataclass(frozen=True)
class Found:
    """What a cell came to.

    Attributes:
        begin_seconds, update_seconds: from the examples in hand to the model in hand.
        update_cpu_seconds: the same by the processor's time, all threads together: what else runs has less part in it.
        scores: after the history and after each increment that was played, the score on each part that had arrived, by
            its place; empty where nothing was judged.
        negative_flips: of each update, the share of what had arrived that was right before and is wrong now.
        final: outcomes on everything at the end.
        fresh: outcomes on each part when it had just arrived, the history first.
        played: numbers of the increments, from 1, at which the strategy updated.
        label_delay: by how many increments labels came later than texts.
        extrapolated: the times are laid out from a few steps, and nothing was judged.
        processor: what it was played on; times of two kinds of processor are not compared.
    """

    strategy: str
    begin_seconds: float
    update_seconds: tuple[float, ...]
    update_cpu_seconds: tuple[float, ...]
    scores: tuple[tuple[float, ...], ...]
    negative_flips: tuple[float, ...]
    trained_parameters: int
    update_bytes: tuple[int, ...]
    final: tuple[Outcome, ...]
    fresh: tuple[Outcome, ...] = ()
    played: tuple[int, ...] = ()
    label_delay: int = 0
    extrapolated: bool = False
    processor: str = ""

    def updated_at(self) -> tuple[int, ...]:
        """``played``, also of a cell that was written before it was kept."""
        return self.played or tuple(len(row) - 1 for row in self.scores[1:])


@dataclass(frozen=True)
class Pace:
    """When a strategy learns.

    Attributes:
        steps: increments to play; 0 plays all.
        at: numbers of the increments, from 1, at which it updates, on all that came since it last did; empty for every
            one.
        label_delay: the labels of an increment come so many increments after its texts. Those of the last ones never
            come; the history is labelled at once, and judging is not delayed.
    """

    steps: int = 0
    at: Collection[int] = ()
    label_delay: int = 0


@dataclass
class _Course:
    """What is measured on the way."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    scores: list[tuple[float, ...]] = field(default_factory=list)
    flips: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    fresh: list[Outcome] = field(default_factory=list)
    played: list[int] = field(default_factory=list)

    def found(self, name: str, begin_seconds: float, strategy: Strategy, label_delay: int) -> Found:
        return Found(
            strategy=name,
            begin_seconds=begin_seconds,
            update_seconds=tuple(self.seconds),
            update_cpu_seconds=tuple(self.processor),
            scores=tuple(self.scores),
            negative_flips=tuple(self.flips),
            trained_parameters=strategy.trained_parameters,
            update_bytes=tuple(self.sizes),
            final=(),
            fresh=tuple(self.fresh),
            played=tuple(self.played),
            label_delay=label_delay,
        )


@dataclass(frozen=True)
class _Arrival:
    """What there is to learn at an increment: its texts, and the labels that are due.

    Attributes:
        number: from 1.
    """

    number: int
    texts: tuple[Increment, ...]
    labelled: tuple[Increment, ...]


def play(stream: Stream, strategy: Strategy, task: Task, name: str, pace: Pace = Pace()) -> Found:
    """Play a stream; judging is not timed.

    Args:
        name: in the lines about progress, and in what is found.
    """
    first = stream.increments[0]
    course = _Course()
    begin_seconds, _ = _timed(lambda: strategy.begin(first.learned, first.held_out))
    if isinstance(strategy, Extrapolates):
        return _extrapolated(stream, strategy, lambda: strategy.took, name, pace)
    outcomes = _judged(strategy, task, stream, 1)
    course.scores.append(_scores(outcomes, task))
    course.fresh += outcomes[0]
    for arrival in _arrivals(stream, pace):
        parts = arrival.number + 1
        before = {each.id: each for each in chain(*_judged(strategy, task, stream, parts, outcomes))}
        known = len(outcomes)
        seconds, processor = _timed(lambda arrival=arrival: _learn(strategy, arrival))  # type: ignore[misc]
        outcomes = _judged(strategy, task, stream, parts)
        course.scores.append(_scores(outcomes, task))
        course.fresh += chain(*outcomes[known:])
        if arrival.labelled:
            course.seconds.append(seconds)
            course.processor.append(processor)
            course.sizes.append(strategy.update_bytes)
            course.played.append(arrival.number)
            course.flips.append(_flips(before, list(chain(*outcomes))))
        part = stream.increments[arrival.number]
        sys.stderr.write(f"{name} · {part.name}: {seconds:.1f} s · {course.scores[-1][-1]:.4f}\n")
    found = course.found(name, begin_seconds, strategy, pace.label_delay)
    return replace(found, final=tuple(chain(*outcomes)))


def _timed(act: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock and by the processor, all threads together."""
    started, started_cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - started, time.process_time() - started_cpu


def _arrivals(stream: Stream, pace: Pace) -> Iterator[_Arrival]:
    """What there is to learn, one increment at which the strategy plays after another."""
    parts = stream.increments[1:][: pace.steps or None]
    texts: list[Increment] = []
    labelled: list[Increment] = []
    for number, part in enumerate(parts, 1):
        texts.append(part)
        if number > pace.label_delay:
            labelled.append(parts[number - 1 - pace.label_delay])
        if not pace.at or number in pace.at:
            yield _Arrival(number, tuple(texts) if pace.label_delay else (), tuple(labelled))
            texts, labelled = [], []


def _learn(strategy: Strategy, arrival: _Arrival) -> None:
    """Texts without their labels to those that take them, then the labels that are due."""
    if isinstance(strategy, TakesText) and arrival.texts:
        strategy.arrive(tuple(replace(row, label=None) for part in arrival.texts for row in _rows(part)))
    if arrival.labelled:
        strategy.update(
            tuple(row for part in arrival.labelled for row in part.learned),
            tuple(row for part in arrival.labelled for row in part.held_out),
        )


def _rows(part: Increment) -> tuple[Example, ...]:
    return (*part.learned, *part.held_out)


def _extrapolated(stream: Stream, strategy: Strategy, took: Callable[[], Took], name: str, pace: Pace) -> Found:
    """The times alone, as the strategy lays them out from a few steps."""
    course, begun = _Course(), took()
    for arrival in _arrivals(stream, pace):
        if arrival.labelled:
            _learn(strategy, arrival)
            taken = took()
            course.seconds.append(taken.seconds)
            course.processor.append(taken.cpu_seconds)
            course.sizes.append(strategy.update_bytes)
            course.played.append(arrival.number)
            part = stream.increments[arrival.number]
            sys.stderr.write(f"{name} · {part.name}: {taken.seconds:.1f} s, extrapolated\n")
    return replace(course.found(name, begun.seconds, strategy, pace.label_delay), extrapolated=True)


Judged = list[Sequence[Outcome]]


def _judged(strategy: Strategy, task: Task, stream: Stream, parts: int, known: Judged | None = None) -> Judged:
    """Outcomes on the held-out side of the first parts; what is known of the same model is not asked again."""
    predictor = strategy.predictor
    judged: Judged = list(known or [])
    for part in stream.increments[len(judged) : parts]:
        judged.append(evaluate(predictor, task, part.held_out, part.name).outcomes)
    return judged


def _scores(judged: Judged, task: Task) -> tuple[float, ...]:
    metric = METRICS[task.metrics[0]]
    return tuple(measure(metric, OutcomeTable.of(outcomes)) for outcomes in judged)


def _flips(before: Mapping[str, Outcome], after: Sequence[Outcome]) -> float:
    """Share of those that both were asked about."""
    both = [(before[now.id], now) for now in after if now.id in before]
    return float(np.mean([was.prediction == was.target != now.prediction for was, now in both])) if both else 0.0
