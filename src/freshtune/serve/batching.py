"""Micro-batching without a waiting time: what queued while the workers were busy is answered together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from freshtune.model.answers import Answers
from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.serve.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers to the inputs of one call, all by one release."""

    release: str
    head: Head
    answers: Answers

    def part(self, first: int, count: int) -> "Answered":
        """The answers to ``count`` inputs from ``first``."""
        rows = slice(first, first + count)
        given = self.answers
        return Answered(
            self.release, self.head, Answers(given.prediction[rows], given.score[rows], given.probabilities[rows])
        )


Answer = Callable[[Sequence[Input]], Answered]
"""Runs in a worker thread; takes the live model once, so that a batch is answered by one release."""


class Observer(Protocol):
    """Who is told what the batcher does."""

    def ran(self, texts: int) -> None: ...

    def queued(self, texts: int) -> None: ...


@dataclass(slots=True)
class _Job:
    inputs: Sequence[Input]
    future: "asyncio.Future[Answered]"


class Batcher:
    """The queue of one task. Lives on one event loop; only ``answer`` leaves it.

    Args:
        answer: the model call.
        pool: threads that it runs in.
        workers: batches of this task that run at once.
        batch_texts: texts in a batch at most; a larger single call runs alone.
        queue_texts: texts that wait at most.
        observer: told of batch sizes and of the queue's length.
    """

    def __init__(
        self, answer: Answer, pool: Executor, workers: int, batch_texts: int, queue_texts: int, observer: Observer
    ) -> None:
        self._answer, self._pool, self._workers = answer, pool, workers
        self._batch_texts, self._queue_texts, self._observer = batch_texts, queue_texts, observer
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._running = 0

    async def ask(self, inputs: Sequence[Input]) -> Answered:
        """Answer the inputs of one call.

        Raises:
            Refusal: 503 when too much waits already.
        """
        if self._waiting and self._waiting + len(inputs) > self._queue_texts:
            raise Refusal(
                503, "overloaded", "Too many texts wait for this task.", "Try again later.", {"Retry-After": "1"}
            )
        job = _Job(inputs, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._count(len(inputs))
        self._fill_workers()
        return await job.future

    def _count(self, texts: int) -> None:
        self._waiting += texts
        self._observer.queued(self._waiting)

    def _take(self) -> list[_Job]:
        """Whole calls from the front, up to a worker's share; those whose caller has gone are dropped.

        A worker that took all would leave the others idle and let the first call wait for the last.
        """
        taken: list[_Job] = []
        texts, limit = 0, min(self._batch_texts, -(-self._waiting // self._workers))
        while self._jobs and (not taken or texts + len(self._jobs[0].inputs) <= limit):
            job = self._jobs.popleft()
            self._count(-len(job.inputs))
            if not job.future.done():
                taken.append(job)
                texts += len(job.inputs)
        return taken

    def _fill_workers(self) -> None:
        while self._jobs and self._running < self._workers:
            if batch := self._take():
                self._running += 1
                asyncio.get_running_loop().create_task(self._run(batch))

    async def _run(self, batch: list[_Job]) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._pool, self._answered, [job.inputs for job in batch])
        except Exception as error:  # the pool itself is gone: the server is stopping
            results = [error] * len(batch)
        finally:
            self._running -= 1
        for job, result in zip(batch, results, strict=True):
            if job.future.done():
                continue
            if isinstance(result, Answered):
                job.future.set_result(result)
            else:
                job.future.set_exception(result)
        self._fill_workers()

    def _answered(self, calls: Sequence[Sequence[Input]]) -> list[Answered | Exception]:
        """Answer several calls in one run; if that fails, each alone: a bad call does not fail its neighbours."""
        self._observer.ran(sum(map(len, calls)))
        try:
            whole = self._answer([each for inputs in calls for each in inputs])
        except Exception as error:
            return [error] if len(calls) == 1 else [self._answered([inputs])[0] for inputs in calls]
        parts: list[Answered | Exception] = []
        first = 0
        for inputs in calls:
            parts.append(whole.part(first, len(inputs)))
            first += len(inputs)
        return parts
