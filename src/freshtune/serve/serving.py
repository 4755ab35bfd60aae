"""What runs while a server is up: the live models, a batcher a task, and the threads that they share."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from freshtune.errors import FreshtuneError
from freshtune.model.predictor import Input
from freshtune.serve.batching import Answered, Batcher, Bounds
from freshtune.serve.live_model import Live, LiveModels, LoadFailure
from freshtune.serve.metrics import Meters
from freshtune.serve.refusals import AGAIN, Refusal
from freshtune.serve.service import Service
from freshtune.tasks import first_without_pair

T = TypeVar("T")


class _Witness:
    """Tells the meters and the log what the live models do."""

    def __init__(self, meters: Meters, log: FilteringBoundLogger) -> None:
        self._meters, self._log = meters, log

    def swapped(self, task: str, live: Live, old: Live | None) -> None:
        self._meters.swapped(task, live.release.id, live.loaded_in)
        before = old.release.id if old else None
        self._log.info("swapped", task=task, release=live.release.id, before=before, seconds=round(live.loaded_in, 3))

    def failed(self, task: str, failure: LoadFailure) -> None:
        self._meters.load_failed(task)
        self._log.error("release not loaded", task=task, release=failure.release, exc_info=failure.error)

    def lost(self, error: Exception) -> None:
        self._meters.registry_failed()
        self._log.error("registry not readable", exc_info=error)


class Serving:
    """One running server's state. ``start`` and ``stop`` belong to the application's lifespan."""

    def __init__(self, service: Service, log: FilteringBoundLogger) -> None:
        settings = service.settings
        self.service, self.log, self.meters = service, log, Meters()
        self.live = LiveModels(
            service.registry,
            service.tasks,
            service.open_model,
            _Witness(self.meters, log),
            settings.poll_seconds,
            settings.retry_seconds,
        )
        self._models = ThreadPoolExecutor(settings.workers, "model")
        self._stores = ThreadPoolExecutor(2, "stores")
        self._event_calls = 0
        self._batchers = {task: self._batcher(task) for task in service.tasks}

    def _batcher(self, task: str) -> Batcher:
        settings = self.service.settings
        bounds = Bounds(settings.workers, settings.batch_texts, settings.queue_texts, settings.answer_seconds)
        return Batcher(partial(self._answer, task), self._models, bounds, self.meters.of(task))

    def start(self) -> None:
        """Begin to follow the registry."""
        self.live.start()

    def stop(self) -> None:
        """Let the threads finish what they hold."""
        self.live.stop()
        self._models.shutdown()
        self._stores.shutdown()

    def known(self, task: str) -> str:
        """The task itself.

        Raises:
            Refusal: 404 for a task that the workspace does not have.
        """
        if task not in self._batchers:
            words = f"It has {', '.join(self._batchers) or 'none'}."
            raise Refusal(404, "unknown_task", "This workspace has no such task.", words, "Name one that it has.")
        return task

    async def predict(self, task: str, inputs: Sequence[Input]) -> Answered:
        """Answer inputs by the release that is live when their batch starts.

        Raises:
            Refusal: 404 for an unknown task, 422 where a second text is missing, 503 without a live release, when too
                much waits, or when it took too long.
        """
        place = first_without_pair(self.service.tasks[self.known(task)], inputs)
        if place is not None:
            raise Refusal(
                422,
                "missing_pair",
                f"{task} cannot answer about one text alone.",
                f"inputs[{place}] has no second text, and {task} reads two.",
                'Send {"text": "…", "pair": "…"}; over /v2 a tensor pair beside text.',
            )
        return await self._batchers[task].ask(inputs)

    def _answer(self, task: str, inputs: Sequence[Input]) -> Answered:
        live = self.live.current(task)
        if live is None:
            raise self._nothing_to_ask(task)
        mask = self.service.mask
        masked = [Input(mask(each.text), None if each.pair is None else mask(each.pair)) for each in inputs]
        head = live.predictor.head
        return Answered(live.release.id, head, head.answers(live.predictor.logits(masked)))

    def _nothing_to_ask(self, task: str) -> Refusal:
        """Why: it is too early, the release is broken, or there is none."""
        what = "There is no model to ask."
        if not self.live.looked:
            return Refusal(503, "loading", what, "The service has just started.", "Try again in a second.", AGAIN)
        if self.live.failure(task):
            words = f"The live release of {task} could not be loaded; GET /v1/status says why."
            return Refusal(503, "not_loaded", what, words, "Look at it with `freshtune releases verify`.")
        words = f"No release of {task} is live."
        return Refusal(503, "no_release", what, words, f"Make one: `freshtune train {task}`.")

    async def store(self, act: Callable[[], T]) -> T:
        """Run an act on a store away from the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._stores, act)

    async def write_events(self, act: Callable[[], T]) -> T:
        """Run an intake; only so many may wait for the log's one writer.

        Raises:
            Refusal: 503 beyond that.
        """
        if self._event_calls >= self.service.settings.limits.event_calls:
            words = f"{self._event_calls} batches wait to be stored already."
            raise Refusal(503, "overloaded", "Too much is sent at once.", words, "Try again later.", AGAIN)
        self._event_calls += 1
        try:
            return await self.store(act)
        finally:
            self._event_calls -= 1

    def failure_words(self, task: str) -> dict[str, str] | None:
        """Why the registry's live release does not answer, in words fit for callers."""
        failure = self.live.failure(task)
        if failure is None:
            return None
        error = failure.error
        return {
            "release": failure.release,
            "error": error.what if isinstance(error, FreshtuneError) else type(error).__name__,
        }
