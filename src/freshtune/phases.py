"""Where the seconds of a long act go, and whom to tell."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Phases:
    """Seconds of each named phase, in order; a phase that comes again adds up.

    Attributes:
        on_start: told when a phase begins.
        on_step: told after each step of the loop, with a ``learn.fit.Step``.
        on_remark: told in a sentence what a user may not expect, and what to do about it.
        on_end: told a phase and its seconds, once it has come to its end.
    """

    on_start: Callable[[str], None] = lambda _: None
    on_step: Callable[[Any], None] = lambda _: None
    on_remark: Callable[[str], None] = lambda _: None
    on_end: Callable[[str, float], None] = lambda _, __: None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a block."""
        self.on_start(name)
        started = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + took
        self.on_end(name, took)
