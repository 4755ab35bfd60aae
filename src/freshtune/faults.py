"""Named places where a test can have the process killed, so that recovery is proved and not assumed."""

import os
import signal

_WANTED = os.environ.get("FRESHTUNE_FAULT", "")
_hits: dict[str, int] = {}


def fault_point(name: str) -> None:
    """Kill this process with SIGKILL when ``FRESHTUNE_FAULT`` was ``name`` or ``name:n`` (the n-th hit) at its start.

    Args:
        name: ``stage:place``, such as ``ingest:before_commit``.
    """
    if not _WANTED or not _WANTED.startswith(name):
        return
    _hits[name] = _hits.get(name, 0) + 1
    wanted, _, hit = _WANTED.rpartition(":")
    if (name == _WANTED and _hits[name] == 1) or (name == wanted and hit == str(_hits[name])):
        os.kill(os.getpid(), signal.SIGKILL)
