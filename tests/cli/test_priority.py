"""Commands that learn step back, so that a service beside them keeps its latency."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from freshtune.workspace import create_workspace

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no niceness")

_PROGRAM = """
import json, os, sys
from freshtune.cli import app
lowered = []
os.nice = lowered.append  # the tests' own process may stand at the lowest priority already
try:
    app(json.loads(sys.argv[1]))
except SystemExit:
    print(sum(lowered))
"""


@pytest.mark.parametrize(
    ("arguments", "lowered"),
    [
        (["train", "sentiment"], 10),
        (["update", "sentiment", "--set", "model.nice=3"], 3),
        (["train", "sentiment", "--set", "model.nice=0"], 0),
        (["update", "sentiment", "--dry-run"], 0),
        (["evaluate", "--data", "nowhere.csv"], 0),
    ],
)
def test_only_learning_lowers_the_priority(arguments: list[str], lowered: int, tmp_path: Path) -> None:
    create_workspace(tmp_path / "shop", ["[tasks.sentiment]", ""])  # empty: each command ends with an error, at once
    given = json.dumps([*arguments, "--workspace", str(tmp_path / "shop")])
    done = subprocess.run([sys.executable, "-c", _PROGRAM, given], capture_output=True, text=True, input="")
    assert done.stdout == f"{lowered}\n", done.stderr
