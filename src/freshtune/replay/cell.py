"""One strategy through one stream: ``python -m freshtune.replay.cell FOLDER NAME``, a process of its own.

What a cell found is written when it is done, whole, under a name that says what it was asked; so a replay that was
interrupted goes on with the cells that are missing.
"""

import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freshtune import record_json
from freshtune.judge.evaluate import evaluate
from freshtune.judge.metrics import METRICS, measure
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.records import Json, Outcome
from freshtune.replay.stream import Increment, Stream
from freshtune.rivals import STRATEGIES, Setting, Strategy
from freshtune.settings import settings_of
from freshtune.tasks import Task, answering, class_names


@dataclass(frozen=True)
class Order:
    """What is asked of a cell.

    Attributes:
        task: its table in ``freshtune.toml``.
        recipe: settings in the form of ``--set``, for freshtune's own loop.
        steps: increments to play; 0 plays all.
        at: numbers of the increments, from 1, at which the strategy updates, on all that came since it last did; empty
            for every one. For strategies that are dear.
    """

    strategy: str
    task_name: str
    task: Mapping[str, Json]
    backbone: str
    max_tokens: int
    threads: int
    seed: int
    held_out: float
    recipe: tuple[str, ...] = ()
    steps: int = 0
    at: tuple[int, ...] = ()


@dataclass(frozen=True)
class Found:
    """What a cell came to.

    Attributes:
        begin_seconds, update_seconds: from the examples in hand to the model in hand.
        update_cpu_seconds: the same by the processor's time, all threads together: what else runs has less part in it.
        scores: after the history and after each update, the score on each part that had arrived, by its place.
        negative_flips: of each update, the share of what had arrived that was right before and is wrong now.
        final: outcomes on everything at the end.
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


def play(stream: Stream, strategy: Strategy, task: Task, name: str, steps: int = 0, at: Collection[int] = ()) -> Found:
    """Play a stream; judging is not timed."""
    first, *rest = stream.increments
    rest = rest[: steps or None]
    started = time.perf_counter()
    strategy.begin(first.learned, first.held_out)
    begin_seconds = time.perf_counter() - started
    outcomes = _judged(strategy, task, stream, 1)
    scores, flips, seconds, processor, sizes = [_scores(outcomes, task)], [], [], [], []
    waiting: list[Increment] = []
    for number, part in enumerate(rest, 2):
        waiting.append(part)
        if at and number - 1 not in at:
            continue
        before = {each.id: each for each in _flat(_judged(strategy, task, stream, number, outcomes))}
        learned = tuple(example for each in waiting for example in each.learned)
        held_out = tuple(example for each in waiting for example in each.held_out)
        waiting = []
        started, started_cpu = time.perf_counter(), time.process_time()
        strategy.update(learned, held_out)
        seconds.append(time.perf_counter() - started)
        processor.append(time.process_time() - started_cpu)
        sizes.append(strategy.update_bytes)
        outcomes = _judged(strategy, task, stream, number)
        scores.append(_scores(outcomes, task))
        flips.append(_flips(before, _flat(outcomes)))
        sys.stderr.write(f"{name} · {part.name}: {seconds[-1]:.1f} s · {scores[-1][-1]:.4f}\n")
    return Found(
        strategy=name,
        begin_seconds=begin_seconds,
        update_seconds=tuple(seconds),
        update_cpu_seconds=tuple(processor),
        scores=tuple(scores),
        negative_flips=tuple(flips),
        trained_parameters=strategy.trained_parameters,
        update_bytes=tuple(sizes),
        final=tuple(_flat(outcomes)),
    )


Judged = list[Sequence[Outcome]]


def _judged(strategy: Strategy, task: Task, stream: Stream, parts: int, known: Judged | None = None) -> Judged:
    """Outcomes on the held-out side of the first parts; what is known of the same model is not asked again."""
    predictor = strategy.predictor
    judged: Judged = list(known or [])
    for part in stream.increments[len(judged) : parts]:
        judged.append(evaluate(predictor, task, part.held_out, part.name).outcomes)
    return judged


def _flat(judged: Judged) -> list[Outcome]:
    return [outcome for outcomes in judged for outcome in outcomes]


def _scores(judged: Judged, task: Task) -> tuple[float, ...]:
    metric = METRICS[task.metrics[0]]
    return tuple(measure(metric, OutcomeTable.of(outcomes)) for outcomes in judged)


def _flips(before: Mapping[str, Outcome], after: Sequence[Outcome]) -> float:
    """Share of those that both were asked about."""
    both = [(before[now.id], now) for now in after if now.id in before]
    return float(np.mean([was.prediction == was.target != now.prediction for was, now in both])) if both else 0.0


def main(folder: Path, cell: str) -> None:
    """Play the cell whose order lies in ``cells/NAME.order.json`` of a replay's folder."""
    import torch

    order = record_json.loads(Order, (folder / "cells" / f"{cell}.order.json").read_bytes())
    stream = record_json.loads(Stream, (folder / "stream.json").read_bytes())
    torch.set_num_threads(order.threads)
    task = settings_of({"tasks": {order.task_name: dict(order.task)}}).task(order.task_name)
    everything = [each for part in stream.increments for each in (*part.learned, *part.held_out)]
    whole = answering(task, (), everything)
    with tempfile.TemporaryDirectory(prefix="freshtune-replay-") as name:
        setting = Setting(
            task, order.backbone, order.max_tokens, order.threads, order.seed, Path(name), order.held_out, order.recipe,
            class_names(whole.head()),
        )  # fmt: skip
        found = play(stream, STRATEGIES[order.strategy](setting), whole, order.strategy, order.steps, order.at)
    target = folder / "cells" / f"{cell}.json"
    fresh = target.with_suffix(".fresh")
    fresh.write_bytes(record_json.dumps(found))
    fresh.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
