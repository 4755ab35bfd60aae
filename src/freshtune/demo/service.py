"""The demo's running service: a process of its own, asked over HTTP as a shop would ask it."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any
from urllib.error import HTTPError

from freshtune.demo.result import Reply
from freshtune.errors import FreshtuneError

_PATIENCE, _PAUSE = 60.0, 0.02


@dataclass(frozen=True, slots=True)
class RunningService:
    """A ``freshtune serve`` on this machine."""

    url: str

    def ask(self, task: str, text: str) -> Reply:
        """One prediction."""
        told = self._call(f"/v1/predict/{task}", {"inputs": [text]})
        answer = told["answers"][0]
        return Reply(str(told["release"]), str(answer["label"]), float(answer["score"]))

    def wait_for(self, task: str, release: str) -> float:
        """Seconds until an answer names this release."""
        started = monotonic()
        while self._answering(task) != release:
            if monotonic() - started > _PATIENCE:
                raise FreshtuneError(f"The service did not take {release} up.", f"It waited {_PATIENCE:.0f} s.")
            Event().wait(_PAUSE)
        return monotonic() - started

    def _answering(self, task: str) -> str | None:
        """The release that answers; None while the first one is still loading."""
        try:
            return self.ask(task, "好").release
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            return None

    def _call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, content, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=_PATIENCE) as reply:  # noqa: S310 (the URL is our own child's)
            told: dict[str, Any] = json.load(reply)
            return told


@contextmanager
def running_service(workspace: Path) -> Iterator[RunningService]:
    """Start the service of a workspace on a free port of this machine; stop it at the end."""
    command = [sys.executable, "-m", "freshtune", "serve", "-w", str(workspace), "--port", "0", "--no-auth"]
    log = workspace / "serve.log"
    with log.open("wb") as written:  # a pipe that nobody reads would fill, and the service would wait for it
        process = subprocess.Popen(command, stderr=written, env=os.environ.copy())  # noqa: S603
        try:
            yield RunningService(_address(process, log))
        finally:
            process.terminate()
            process.wait()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The service's URL, once its log says where it listens."""
    while process.poll() is None:
        for told in map(_event, log.read_bytes().split(b"\n")):
            if told.get("event") == "listening":
                return str(told["url"])
        Event().wait(_PAUSE)
    raise FreshtuneError("The service did not start.", f"Its log is {log}.", "Try freshtune serve by hand.")


def _event(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
