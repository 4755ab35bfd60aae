"""The model that answers now: a new release is loaded and warmed beside the old one, then takes its place at once."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from freshtune.model.predictor import Input, Predictor
from freshtune.records import Release
from freshtune.serve.service import Registry

_WARM_UP = (Input("好"), Input("freshtune warms up 新的模型。 " * 40), Input("query 手机", "title 手机壳"))


@dataclass(frozen=True, slots=True)
class Live:
    """A release that answers.

    Attributes:
        loaded_in: seconds that opening and warming took.
        since: monotonic seconds of the swap.
    """

    release: Release
    predictor: Predictor
    loaded_in: float
    since: float


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A live release of the registry that could not be loaded; the one before it still answers."""

    release: str
    error: Exception
    at: float


class Witness(Protocol):
    """Who is told of swaps and failures."""

    def swapped(self, task: str, live: Live, old: Live | None) -> None: ...

    def failed(self, task: str, failure: LoadFailure) -> None: ...

    def lost(self, error: Exception) -> None:
        """The registry itself could not be read."""


class LiveModels:
    """Follows the registry in a thread of its own.

    Readers take ``current(task)`` once and keep it for as long as they work: replacing it is one assignment, and a
    replaced model is freed when its last reader lets go.

    Args:
        registry: asked for its version every ``poll_seconds``.
        tasks: tasks to follow.
        open_model: opens and verifies a release; may raise anything.
        witness: told of swaps and failures, from the thread.
        poll_seconds: pause between two looks.
        retry_seconds: pause before a failed release is tried again.
    """

    def __init__(
        self,
        registry: Registry,
        tasks: Iterable[str],
        open_model: Callable[[Release], Predictor],
        witness: Witness,
        poll_seconds: float,
        retry_seconds: float,
    ) -> None:
        self._registry, self._open, self._witness = registry, open_model, witness
        self._poll_seconds, self._retry_seconds = poll_seconds, retry_seconds
        self._live: dict[str, Live | None] = dict.fromkeys(tasks)
        self._failures: dict[str, LoadFailure] = {}
        self._version: int | None = None
        self._wake, self._first_look = threading.Event(), threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name="live-models", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following, and let go of the models."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._live = dict.fromkeys(self._live)

    def wake(self) -> None:
        """Look at the registry now rather than at the next poll."""
        self._wake.set()

    def current(self, task: str) -> Live | None:
        """What answers now; None where no release is live yet."""
        return self._live[task]

    @property
    def looked(self) -> bool:
        """Whether everything that was live at the start has been loaded, or has failed to."""
        return self._first_look.is_set()

    def failure(self, task: str) -> LoadFailure | None:
        """Why the registry's live release is not the one that answers."""
        return self._failures.get(task)

    @property
    def ready(self) -> bool:
        """Whether every task that has a live release is answering."""
        return self.looked and not any(self._live[task] is None for task in self._failures)

    def _watch(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                self.look()
            except Exception as error:  # a locked or broken registry must not end the watch
                self._version = None
                self._witness.lost(error)
            self._wake.wait(self._poll_seconds)

    def look(self) -> None:
        """One look at the registry: load what became live, if anything did."""
        version = self._registry.version()
        if version == self._version and not self._due():
            return
        for task in self._live:
            self._follow(task)
        self._version = version
        self._first_look.set()

    def _due(self) -> bool:
        return any(time.monotonic() - failure.at > self._retry_seconds for failure in self._failures.values())

    def _follow(self, task: str) -> None:
        wanted, old = self._registry.live_id(task), self._live[task]
        if wanted is None or (old and old.release.id == wanted):
            self._failures.pop(task, None)
            self._live[task] = old if wanted else None
            return
        start = time.monotonic()
        try:
            release = self._registry.get(wanted)
            predictor = self._open(release)
            for each in _WARM_UP:
                predictor.logits([each])
        except Exception as error:  # whatever is wrong with the new one, the old one keeps answering
            self._failures[task] = LoadFailure(wanted, error, time.monotonic())
            self._witness.failed(task, self._failures[task])
            return
        now = time.monotonic()
        live = Live(release, predictor, now - start, now)
        self._live[task] = live
        self._failures.pop(task, None)
        self._witness.swapped(task, live, old)
