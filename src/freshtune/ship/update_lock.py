"""One update of a task at a time, across processes. The lock goes with its process, however that ends."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freshtune.errors import FreshtuneError, UsageError


class Locked(FreshtuneError):  # noqa: N818
    """Another process is updating the task."""


@contextmanager
def update_lock(folder: Path, task: str) -> Iterator[None]:
    """Hold the task's lock while the block runs.

    Args:
        folder: where the lock file stands, beside the registry.

    Raises:
        Locked: it is taken; the message names the process id.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", task):
        raise UsageError(f"{task!r} cannot be the name of a task", mend="Letters, digits, - and _.")
    # The file stays: were it removed, a taker of the old one and a taker of a new one would both hold "the" lock.
    with (folder / f".update-{task}.lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Locked(
                f"{task} is being updated by process {holder}",
                "Two updates of one task would learn the same events twice.",
                "Wait for it, or end that process.",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
