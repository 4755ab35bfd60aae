"""Waiting for something that another thread or process does."""

import threading
import time
from collections.abc import Callable


def until(happened: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait until something is true; gives the seconds that it took, fails after ``seconds``."""
    start, pause = time.monotonic(), threading.Event()
    while not happened():
        assert time.monotonic() - start < seconds, "it did not happen in time"
        pause.wait(0.005)
    return time.monotonic() - start
