"""Micro-batching without a waiting time: what queued while the workers were busy is answered together.

Each worker has its next batch before it is done with the last, so that no core waits for the event loop. Calls share
a batch only as far as texts are quick: what sharing saves is bookkeeping (about 0.1 ms a call), and what it costs is
that the first call of a batch waits for its last.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from freshtune.model.answers import Answers
from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.serve.refusals import AGAIN, Refusal


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


_AHEAD = 2
"""Batches that a worker has at most: the one it runs and the next."""

_SHARED_SECONDS = 0.002
"""Longest that calls which share a batch are expected to run."""


class Observer(Protocol):
    """Who is told what the batcher does: ``ran`` in a worker thread, ``queued`` on the event loop."""

    def ran(self, texts: int) -> None: ...

    def queued(self, texts: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much at once, and for how long.

    Attributes:
        workers: threads of the pool.
        batch_texts: texts in a batch at most; a larger single call runs alone.
        queue_texts: texts that wait at most.
        answer_seconds: longest wait for an answer.
    """

    workers: int
    batch_texts: int
    queue_texts: int
    answer_seconds: float


@dataclass(slots=True)
class _Job:
    inputs: Sequence[Input]
    future: "asyncio.Future[Answered]"


class Batcher:
    """The queue of one task. Lives on one event loop; only ``answer`` and ``clock`` are called elsewhere.

    Args:
        answer: the model call.
        pool: threads that it runs in.
        bounds: how much at once.
        observer: told of batch sizes and of the queue's length.
        clock: seconds, of which differences count.
    """

    def __init__(
        self,
        answer: Answer,
        pool: Executor,
        bounds: Bounds,
        observer: Observer,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._answer, self._pool, self._bounds, self._observer = answer, pool, bounds, observer
        self._clock = clock
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._handed_out = 0
        self._text_seconds = 0.0

    async def ask(self, inputs: Sequence[Input]) -> Answered:
        """Answer the inputs of one call.

        Raises:
            Refusal: 503 when too much waits already, or when it took too long.
        """
        if self._waiting and self._waiting + len(inputs) > self._bounds.queue_texts:
            words = f"More than {self._bounds.queue_texts:,} texts would wait for this task."
            raise Refusal(503, "overloaded", "Too much is asked at once.", words, "Try again later.", AGAIN)
        loop = asyncio.get_running_loop()
        job = _Job(inputs, loop.create_future())
        self._jobs.append(job)
        self._count(len(inputs))
        self._hand_out(loop)
        timer = loop.call_later(self._bounds.answer_seconds, _give_up, job)
        try:
            return await job.future
        finally:
            timer.cancel()

    def _count(self, texts: int) -> None:
        self._waiting += texts
        self._observer.queued(self._waiting)

    def _hand_out(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._jobs and self._handed_out < _AHEAD * self._bounds.workers:
            if batch := self._take():
                try:
                    self._pool.submit(self._run, batch, loop)
                except RuntimeError as error:  # the pool itself is gone: the server is stopping
                    _settle(batch, [error] * len(batch))
                else:
                    self._handed_out += 1

    def _take(self) -> list[_Job]:
        """Whole calls from the front, up to a worker's share; those whose caller has gone are dropped.

        A worker that took all would leave the others idle and let the first call wait for the last.
        """
        taken: list[_Job] = []
        texts, limit = 0, self._limit()
        while self._jobs and (not taken or texts + len(self._jobs[0].inputs) <= limit):
            job = self._jobs.popleft()
            self._count(-len(job.inputs))
            if not job.future.done():
                taken.append(job)
                texts += len(job.inputs)
        return taken

    def _limit(self) -> int:
        """Texts that may share a batch now."""
        share = min(self._bounds.batch_texts, -(-self._waiting // self._bounds.workers))
        return share if share * self._text_seconds <= _SHARED_SECONDS else int(_SHARED_SECONDS / self._text_seconds)

    def _run(self, batch: Sequence[_Job], loop: asyncio.AbstractEventLoop) -> None:
        """In a worker thread: answer those who still wait, and tell the event loop."""
        start = self._clock()
        jobs = [job for job in batch if not job.future.done()]
        results = self._answered([job.inputs for job in jobs]) if jobs else []
        seconds = (self._clock() - start) / max(1, sum(len(job.inputs) for job in jobs))
        loop.call_soon_threadsafe(self._deliver, jobs, results, seconds)

    def _deliver(self, jobs: Sequence[_Job], results: Sequence[Answered | Exception], text_seconds: float) -> None:
        self._handed_out -= 1
        if jobs:
            self._text_seconds += (text_seconds - self._text_seconds) / (8 if self._text_seconds else 1)
        self._hand_out(asyncio.get_running_loop())
        _settle(jobs, results)

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


def _give_up(job: _Job) -> None:
    if not job.future.done():
        words = "The models have more to do than they manage."
        job.future.set_exception(Refusal(503, "too_slow", "No answer in time.", words, "Try again later.", AGAIN))


def _settle(jobs: Sequence[_Job], results: Sequence[Answered | Exception]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.future.done():
            continue
        if isinstance(result, Answered):
            job.future.set_result(result)
        else:
            job.future.set_exception(result)
