"""``serve`` tells people where it answers, and only them; ``keys`` refuses a scope that opens nothing."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from freshtune.cli import app, serving
from freshtune.serve.auth import SCOPES
from freshtune.workspace import create_workspace
from tests.serve.waiting import until


@pytest.fixture
def shop(tmp_path: Path) -> str:
    create_workspace(tmp_path / "shop", ["[tasks.sentiment]", "[tasks.rating]", ""])
    return str(tmp_path / "shop")


def test_an_unknown_scope_is_told_with_those_that_there_are(shop: str) -> None:
    refused = CliRunner().invoke(app, ["keys", "create", "web shop", "--scope", "read", "--scope", "foo", "-w", shop])
    assert refused.exit_code == 2
    assert "no scope 'foo'" in refused.stderr
    assert ", ".join(SCOPES) in refused.stderr
    assert f"freshtune keys create -w {shop} 'web shop' --scope predict" in refused.stderr
    assert json.loads(CliRunner().invoke(app, ["keys", "list", "-w", shop, "--json"]).stdout) == []
    assert CliRunner().invoke(app, ["keys", "create", "web shop", "--scope", "predict", "-w", shop]).exit_code == 0


@pytest.mark.parametrize("looking", [True, False])
def test_one_line_for_people_where_they_look_on(shop: str, looking: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[str, int]] = []

    def run(_: object, host: str, port: int, on_listening: Callable[[str], None]) -> None:
        served.append((host, port))
        on_listening(f"http://{host}:{port}")
        raise KeyboardInterrupt

    monkeypatch.setattr("freshtune.serve.app.run", run)
    monkeypatch.setattr(serving, "watched", lambda: looking)
    done = CliRunner().invoke(app, ["serve", "-w", shop, "--no-auth", "--port", "8123"])
    assert (done.exit_code, served) == (0, [("127.0.0.1", 8123)])
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == (2 if looking else 0)
    if looking:
        assert "http://127.0.0.1:8123 " in lines[0]
        assert "http://127.0.0.1:8123/docs" in lines[0]
        assert "sentiment: no release yet · rating: no release yet" in lines[0]
        assert lines[1] == "Stopped."


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_on_a_terminal_ctrl_c_ends_it_well(shop: str) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "freshtune", "serve", "-w", shop, "--no-auth", "--port", "0"]
    process = subprocess.Popen(command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, start_new_session=True)
    os.close(theirs)
    os.set_blocking(ours, False)
    seen = bytearray()

    def has(words: bytes) -> bool:
        with suppress(OSError):  # nothing yet, or the other end is closed
            seen.extend(os.read(ours, 1 << 16))
        return words in seen

    try:
        until(lambda: has(b"Ctrl-C stops it") or process.poll() is not None, 60)
        url = json.loads(seen.decode().splitlines()[0])["url"]
        urllib.request.urlopen(f"{url}/livez", timeout=60).close()  # from here on it ends what is in flight
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        has(b"Stopped.")
    finally:
        process.kill()
        os.close(ours)
    lines = seen.decode().replace("\r\n", "\n").strip().split("\n")
    for_people = [line for line in lines if not line.startswith("{")]
    assert (process.returncode, out) == (0, b"")
    assert for_people[0].startswith(f"{url} · {url}/docs · sentiment: ")
    assert for_people[1:] == ["Stopped."]
    assert all(isinstance(json.loads(line), dict) for line in lines if line not in for_people), "the log stays JSON"
