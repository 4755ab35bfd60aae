"""Commands that compute nothing load nothing that computes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from freshtune.workspace import create_workspace

HEAVY = (
    "torch", "transformers", "onnx", "onnxscript", "onnxruntime", "tokenizers", "sklearn", "scipy", "safetensors",
    "pyarrow", "pandas", "snownlp", "starlette", "fastapi", "uvicorn", "optuna",
)  # fmt: skip
HELP = ("freshtune.front_door", "freshtune.tune", "freshtune.settings", "freshtune.cycle")
"""What a command that only shows its help does not load either."""

_PROGRAM = """
import json, sys
from freshtune.cli import app
try:
    app(json.loads(sys.argv[1]))
except SystemExit as end:
    assert not end.code, end.code
sys.stderr.write("\\n" + json.dumps([name for name in json.loads(sys.argv[2]) if name in sys.modules]))
"""


COMMANDS = (
    *(
        "--help",
        "train --help",
        "tune --help",
        "init NEW --task rating",
        "config show",
        "config validate",
        "releases list",
    ),
    *("keys list", "ingest --dead-letters"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_light_command_stays_light(command: str, tmp_path: Path) -> None:
    create_workspace(tmp_path / "shop", ["[tasks.sentiment]", ""])
    arguments = command.replace("NEW", str(tmp_path / "new")).split()
    if not {"--help", "init"} & set(arguments):
        arguments += ["--workspace", str(tmp_path / "shop")]
    forbidden = [*HEAVY, *(HELP if "--help" in arguments else ())]
    started = [sys.executable, "-c", _PROGRAM, json.dumps(arguments), json.dumps(forbidden)]
    done = subprocess.run(started, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert json.loads(done.stderr.splitlines()[-1]) == []
