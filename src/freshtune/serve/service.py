"""What a server is given: the stores and collaborators of one workspace, as the narrow seams that serving needs."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import Field

from freshtune.model.predictor import Predictor
from freshtune.records import Json, LogRange, Release
from freshtune.serve.auth import Keys
from freshtune.serve.limits import Limits
from freshtune.tasks import Task


class Listed(Protocol):
    """One line of the list of releases."""

    @property
    def id(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def created(self) -> datetime: ...
    @property
    def range(self) -> LogRange: ...
    @property
    def outcome(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def pruned(self) -> bool: ...
    @property
    def forced_by(self) -> str | None: ...
    @property
    def forced_why(self) -> str | None: ...
    @property
    def rolled_back_by(self) -> str | None: ...
    @property
    def rolled_back_why(self) -> str | None: ...
    @property
    def size(self) -> int: ...
    @property
    def scores(self) -> Mapping[str, Mapping[str, float]]: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...


class Step(Protocol):
    """One change of a task's live release."""

    @property
    def action(self) -> str: ...
    @property
    def release(self) -> str: ...
    @property
    def replaced(self) -> str | None: ...
    @property
    def time(self) -> datetime: ...
    @property
    def by(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def forced(self) -> bool: ...


class Part(Protocol):
    """A log range that a task is done with, why, and by which release."""

    @property
    def range(self) -> LogRange: ...
    @property
    def outcome(self) -> str: ...
    @property
    def release(self) -> str: ...


class Registry(Protocol):
    """The part of ``ship.registry.Registry`` that serving uses; called from several threads."""

    def version(self) -> int:
        """A counter that moves with every change, by whatever process; cheap enough to ask 20 times a second."""

    def live_id(self, task: str) -> str | None: ...

    def get(self, release: str) -> Release: ...

    def summary(self, release: str) -> Listed: ...

    def history(self, task: str, release: str | None = None) -> Sequence[Step]: ...

    def list(self, task: str | None = None, limit: int = 100) -> Sequence[Listed]: ...

    def consumed(self, task: str) -> Sequence[Part]: ...

    def pending(self, task: str, head: int) -> Sequence[LogRange]: ...

    def promote(
        self, release: str, expected_live: str | None, by: str, why: str = "", force: bool = False
    ) -> Release: ...

    def rollback(self, task: str, expected_live: str, by: str, why: str = "", force: bool = False) -> Release: ...


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record of a batch that became a dead letter."""

    index: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch, told only after its commit is on disk."""

    read: int
    kept: int
    duplicates: int
    masked: int
    shortened: int
    rejected: tuple[Rejected, ...] = ()


class Accept(Protocol):
    """Validate, mask and store a batch durably; a bad record never rejects its batch."""

    def __call__(self, body: bytes, lines: bool, task: str | None) -> Accepted:
        """Take a JSON array of records, or JSON lines; ``task`` is meant by records that name none.

        Raises:
            Refusal: the body is no batch at all.
        """

    def schemas(self) -> Mapping[str, Mapping[str, Json]]:
        """What it takes: JSON Schemas by name, as of ``event_schema``."""


def _spare_cores() -> int:
    return max(1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


@dataclass(frozen=True)
class ServeSettings:
    """``[serve]`` of the settings.

    Attributes:
        workers: threads that run models; each runs one batch at a time.
        batch_texts: texts in one model call at most.
        queue_texts: texts that wait for one task at most; beyond it the answer is 503.
        answer_seconds: longest wait for an answer before 503.
        poll_seconds: pause between two looks at the registry.
        retry_seconds: pause before a release that failed to load is tried again.
        shutdown_seconds: time that requests in flight get after SIGTERM.
    """

    workers: Annotated[int, Field(ge=1, le=1_024)] = field(default_factory=_spare_cores)
    batch_texts: Annotated[int, Field(ge=1)] = 8
    queue_texts: Annotated[int, Field(ge=1)] = 2_048
    answer_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    poll_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    retry_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5.0
    shutdown_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Service:
    """The collaborators of one server.

    Attributes:
        registry: where releases are found and promoted.
        accept: durable intake of a batch of event records.
        log_head: position of the last event.
        mask: the masking that training data went through; prediction input goes through it too.
        keys: who may call; None turns authentication off (loopback only).
        open_model: opens a release's verified files as a predictor.
        tasks: the workspace's tasks by name.
    """

    registry: Registry
    accept: Accept
    log_head: Callable[[], int]
    mask: Callable[[str], str]
    keys: Keys | None
    open_model: Callable[[Release], Predictor]
    tasks: Mapping[str, Task]
    settings: ServeSettings = ServeSettings()
