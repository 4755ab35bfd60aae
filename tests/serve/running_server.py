"""A real server in a process of its own: ``python -m tests.serve.running_server FOLDER [SECONDS]``.

``SECONDS`` makes every prediction of the text "slow" take that long.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freshtune.model.predictor import Input
from freshtune.records import Release
from freshtune.serve.app import run
from freshtune.serve.patience import BoundedHeaders
from freshtune.serve.service import ServeSettings
from tests.serve.tiny_service import TinyPredictor, open_shop


class Held(TinyPredictor):
    """Takes its time over one text."""

    seconds = 0.0

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        if any(each.text == "slow" for each in inputs):
            threading.Event().wait(self.seconds)
        return super().logits(inputs)


@contextmanager
def running_server(folder: Path, seconds: float = 0.0) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Serve the shop of a folder; gives the URL and the process, which is ended with SIGTERM."""
    command = [sys.executable, "-m", "tests.serve.running_server", str(folder), str(seconds)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stderr
    try:
        first = process.stderr.readline()
        yield json.loads(first)["url"], process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _serve(folder: Path, seconds: float) -> None:
    shop = open_shop(folder)
    Held.seconds = seconds

    def opened(release: Release) -> Held:
        return Held(shop.registry.load_file(release, "top.onnx"), shop.tasks[release.task].head())

    BoundedHeaders.header_seconds = 1.0
    run(replace(shop.service(ServeSettings(workers=2)), open_model=opened), "127.0.0.1", 0)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), float(sys.argv[2]))
