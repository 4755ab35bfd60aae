"""Micro-batching: nobody waits for company, nobody is answered by two releases, nothing grows without bound."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from freshtune.model.heads.score import Score
from freshtune.model.predictor import Input
from freshtune.serve.batching import Answered, Batcher, Bounds
from freshtune.serve.refusals import Refusal

HEAD = Score(0, 1_000)


class Observed:
    """Remembers what the batcher tells."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.longest = 0
        self.waiting = 0

    def ran(self, texts: int) -> None:
        self.batches.append(texts)

    def queued(self, texts: int) -> None:
        self.waiting, self.longest = texts, max(self.longest, texts)


class Model:
    """Answers a text of digits with its number; can be held, so that a queue builds up."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.release = 0
        self.text_seconds = 0.0001
        self.now = 0.0

    def clock(self) -> float:
        """A clock of its own, so that how long a text takes is the scene's to say."""
        return self.now

    def __call__(self, inputs: Sequence[Input]) -> Answered:
        self.go.wait(10)
        self.release += 1
        self.now += self.text_seconds * len(inputs)
        numbers = np.array([float(each.text) for each in inputs], np.float32)
        logits = np.log(numbers / 1_000 / (1 - numbers / 1_000))[:, None]
        return Answered(str(self.release), HEAD, HEAD.answers(logits))


Scene = Callable[[Batcher, Model, Observed], Coroutine[Any, Any, None]]


def play(scene: Scene, workers: int = 1, queue_texts: int = 50, answer_seconds: float = 10.0) -> None:
    """Run a scene on a fresh loop and pool."""

    async def whole() -> None:
        model, observed, batch_texts = Model(), Observed(), 8
        with ThreadPoolExecutor(workers) as pool:
            bounds = Bounds(workers, batch_texts, queue_texts, answer_seconds)
            await scene(Batcher(model, pool, bounds, observed, model.clock), model, observed)

    asyncio.run(whole())


def texts(*numbers: int) -> list[Input]:
    return [Input(str(number)) for number in numbers]


def test_a_lone_call_does_not_wait() -> None:
    async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
        for number in range(1, 20):
            answered = await batcher.ask(texts(number))
            assert answered.answers.score[0] == pytest.approx(number, rel=1e-3)
        assert observed.batches == [1] * 19

    play(scene)


def test_what_queued_meanwhile_is_answered_together_and_in_order() -> None:
    async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
        model.go.clear()
        asked = [asyncio.create_task(batcher.ask(texts(n, n + 1))) for n in range(1, 14)]
        await asyncio.sleep(0)
        model.go.set()
        answers = await asyncio.gather(*asked)
        for number, answered in zip(range(1, 14), answers, strict=True):
            assert answered.answers.score.tolist() == pytest.approx([number, number + 1], rel=1e-3)
        assert observed.batches == [2, 2, 8, 8, 6]
        assert observed.waiting == 0

    play(scene)


def test_calls_share_a_batch_only_as_far_as_texts_are_quick() -> None:
    def largest(text_seconds: float) -> int:
        found: list[int] = []

        async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
            model.text_seconds = text_seconds
            await batcher.ask(texts(1))
            model.go.clear()
            asked = [asyncio.create_task(batcher.ask(texts(n))) for n in range(1, 30)]
            await asyncio.sleep(0)
            model.go.set()
            await asyncio.gather(*asked)
            found.append(max(observed.batches))

        play(scene)
        return found[0]

    for seconds, expected in ((0.01, 1), (0.003, 1), (0.001, 2), (0.0005, 4), (0.0001, 8), (0.0, 8)):
        assert largest(seconds) == expected, seconds


def test_a_worker_has_its_next_batch_before_it_is_done() -> None:
    async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
        model.go.clear()
        asked = [asyncio.create_task(batcher.ask(texts(n))) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        assert observed.waiting == 1
        model.go.set()
        # The event loop is held: whatever is answered now was in the workers' hands already.
        while len(observed.batches) < 2:
            assert model.go.wait(10)
        assert [each.done() for each in asked] == [False] * 3
        await asyncio.gather(*asked)

    play(scene)


def test_who_waits_too_long_is_told_and_the_others_are_answered() -> None:
    async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
        model.go.clear()
        results = await asyncio.gather(*(batcher.ask(texts(n)) for n in (1, 2, 3)), return_exceptions=True)
        assert [getattr(each, "reason", None) for each in results] == ["too_slow"] * 3
        model.go.set()
        assert (await batcher.ask(texts(7))).answers.score[0] == pytest.approx(7, rel=1e-3)
        assert observed.batches == [1, 1]

    play(scene, answer_seconds=0.05)


def test_one_release_answers_a_call_however_many_texts_it_has() -> None:
    async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
        answered = await batcher.ask(texts(*range(1, 200)))
        assert len(answered.answers.score) == 199
        assert observed.batches == [199]

    play(scene)


def test_a_full_queue_refuses_and_recovers() -> None:
    async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
        model.go.clear()
        asked = [asyncio.create_task(batcher.ask(texts(5))) for _ in range(100)]
        await asyncio.sleep(0)
        model.go.set()
        results = await asyncio.gather(*asked, return_exceptions=True)
        refused = [each for each in results if isinstance(each, Refusal)]
        assert len(refused) == 48
        assert {(each.status, each.headers["Retry-After"]) for each in refused} == {(503, "1")}
        assert observed.longest == 50
        assert (await batcher.ask(texts(7))).answers.score[0] == pytest.approx(7, rel=1e-3)

    play(scene)


def test_a_bad_call_does_not_fail_its_neighbours() -> None:
    async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
        model.go.clear()
        first = asyncio.create_task(batcher.ask(texts(1)))
        await asyncio.sleep(0)
        asked = [asyncio.create_task(batcher.ask([Input(text)])) for text in ("2", "no number", "3")]
        await asyncio.sleep(0)
        model.go.set()
        await first
        good, bad, other = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(bad, ValueError)
        assert isinstance(good, Answered)
        assert isinstance(other, Answered)

    play(scene)


def test_a_caller_that_left_is_not_computed() -> None:
    async def scene(batcher: Batcher, model: Model, observed: Observed) -> None:
        model.go.clear()
        first = asyncio.create_task(batcher.ask(texts(1)))
        await asyncio.sleep(0)
        gone = asyncio.create_task(batcher.ask(texts(2)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.go.set()
        await first
        await batcher.ask(texts(3))
        assert observed.batches == [1, 1]
        assert observed.waiting == 0

    play(scene)


def test_a_server_that_stops_answers_all_that_wait() -> None:
    async def whole() -> None:
        model, observed, pool = Model(), Observed(), ThreadPoolExecutor(1)
        batcher = Batcher(model, pool, Bounds(1, 8, 50, 10.0), observed, model.clock)
        model.text_seconds = 1.0
        model.go.clear()
        asked = [asyncio.create_task(batcher.ask(texts(n))) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        model.go.set()
        pool.shutdown()
        *answered, lost = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, Answered) for each in answered)
        assert isinstance(lost, RuntimeError)
        assert observed.waiting == 0

    asyncio.run(whole())
