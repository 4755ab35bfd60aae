"""A student beside its teacher, both as they are served: score, time and size, so that a person can choose."""

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from freshtune.cycle.teaching import Teacher
from freshtune.cycle.trial import HeldOut, Judged, scorecards
from freshtune.judge.case import primary_metric
from freshtune.model.onnx_model import Graph
from freshtune.records import Finding, Scorecard
from freshtune.ship.bundle import TOP, TRUNK, Bundle
from freshtune.tasks import Task

LENGTHS = (32, 128)
"""Tokens of the texts that are timed."""
_ROUNDS, _TOKENS_A_ROUND = 8, 512
TEACHER = "teacher"
RULE = "beside its teacher"


def beside_teacher(judged: Judged, student: Bundle, teacher: Teacher, task: Task, held_out: HeldOut) -> Judged:
    """The verdict with one more finding, which refuses nothing: what the student costs and answers beside its teacher.

    Whether it replaces the live release is for the rules that spoke before.
    """
    cards = scorecards(teacher.bundle.predictor(), task, held_out)
    own = {name: judged.scorecards[name] for name in cards}
    numbers = figures(student, teacher.bundle) | _scores(own, cards)
    finding = Finding(RULE, True, numbers, _told(numbers, teacher.release))
    verdict = replace(judged.verdict, findings=(*judged.verdict.findings, finding))
    shown = {f"{TEACHER}/{name}": card for name, card in cards.items()}
    return Judged({**judged.scorecards, **shown}, verdict)


def figures(student: Bundle, teacher: Bundle) -> dict[str, float]:
    """Bytes that are loaded to serve, and least milliseconds for a text of so many tokens on one thread, in turns."""
    pair = {"student": student, "teacher": teacher}
    told = {f"{name}_bytes": float(bundle.served_bytes()) for name, bundle in pair.items()}
    graphs = {name: (Graph(each.folder / TRUNK, 1), Graph(each.folder / TOP, 1)) for name, each in pair.items()}
    for length in (length for length in LENGTHS if length <= _longest(student, teacher)):
        texts = {name: _texts(bundle, length) for name, bundle in pair.items()}
        least = dict.fromkeys(pair, float("inf"))
        for _ in range(_ROUNDS):
            for name, (trunk, top) in graphs.items():
                for text in texts[name]:  # one by one: on a busy machine some of them run without a break
                    started = time.perf_counter()
                    top.each(trunk.each([text]))
                    least[name] = min(least[name], 1_000 * (time.perf_counter() - started))
        told |= {f"{name}_milliseconds_{length}": round(value, 3) for name, value in least.items()}
    return told


def _longest(*bundles: Bundle) -> int:
    return min(int(str(bundle.facts.architecture["positions"])) for bundle in bundles)


def _texts(bundle: Bundle, length: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int32]]]:
    """Random ids of a model's own vocabulary, ``[1, length]`` each: what they are does not change the time."""
    random = np.random.default_rng(0)
    vocabulary = int(str(bundle.facts.architecture["vocabulary"]))
    count = max(1, _TOKENS_A_ROUND // length)
    return [random.integers(0, vocabulary, (1, length)).astype(np.int32) for _ in range(count)]


def _scores(student: Mapping[str, Scorecard], teacher: Mapping[str, Scorecard]) -> dict[str, float]:
    """The primary metric of both on each held-out set."""
    metric = primary_metric(student)
    sides = {"student": student, "teacher": teacher}
    return {
        f"{name}_{metric}_{held_out}": card.metrics[metric].value
        for name, cards in sides.items()
        for held_out, card in cards.items()
    }


def _told(numbers: Mapping[str, float], teacher: str) -> str:
    size = numbers["student_bytes"] / numbers["teacher_bytes"]
    times = [
        f"{numbers[f'student_milliseconds_{length}'] / numbers[f'teacher_milliseconds_{length}']:.2f} × the time "
        f"for {length} tokens"
        for length in LENGTHS
        if f"student_milliseconds_{length}" in numbers
    ]
    return f"It needs {', '.join([f'{size:.2f} × the bytes', *times])} of {teacher}."
