"""A machine with ``requirements/serve.txt`` alone answers as the one that trained, and says what training needs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import httpx
import pytest

from freshtune import front_door
from freshtune.intake.mapping import ColumnMapping
from freshtune.model.bundled import BUNDLED
from freshtune.workspace import create_workspace
from tests.serve.waiting import until

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SETTINGS = """\
[tasks.sentiment]
[model]
backbone = "bundled:bert-tiny"
max_tokens = 32
threads = 1
[intake]
held_out = 0.3
[learn.first]
epochs = 30
learning_rate = 2e-3
patience = 10
evaluate_every = 5
batch_tokens = 400
"""
THINGS = (
    *("room", "phone", "book", "chair", "lamp", "kettle", "jacket", "table", "mirror", "carpet", "window", "shower"),
    *("pillow", "camera", "radio", "printer", "battery", "keyboard", "bottle", "suitcase"),
)
WORDS = {"positive": ("clean", "bright", "lovely"), "negative": ("broken", "dirty", "awful")}
TEXTS = [
    "The lamp arrived clean",
    "A clean broken room",
    "dirty",
    "房间很脏，13800138000",
    "An awful, lovely camera",
]
EVENTS = [
    {"id": "one", "kind": "review", "task": "sentiment", "text": "很好", "label": "positive"},
    {"id": "two", "kind": "review", "task": "sentiment", "text": "awful", "label": "negative"},
]
TRAINERS = ("torch", "transformers", "onnx", "onnxscript", "sklearn", "scipy", "safetensors")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Outside pytest's own folders, which would keep half a gigabyte of packages."""
    with tempfile.TemporaryDirectory(prefix="freshtune-light-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[front_door.OpenWorkspace]:
    """A workspace whose first release was trained here and promoted by the gate."""
    try:
        distribution(BUNDLED["bert-tiny"].package)
    except PackageNotFoundError:
        pytest.skip(f"{BUNDLED['bert-tiny'].package} is not installed")
    create_workspace(folder / "shop", SETTINGS.splitlines())
    opened = front_door.open(folder / "shop")
    reviews = [
        {"id": f"{thing} {word}", "text": f"The {thing} arrived {word}.", "label": label}
        for thing in THINGS
        for label, words in WORDS.items()
        for word in words
    ]
    with closing(opened.store.registry), pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(folder / "cache"))
        opened.ingest(reviews, ColumnMapping(task="sentiment", id="id", text="text", label="label"))
        assert opened.train("sentiment").verdict.promote
        yield opened


@dataclass(frozen=True)
class Light:
    """A virtual environment that serves and cannot train."""

    folder: Path

    def run(self, program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run one of its programs to the end."""
        command = [self.folder / "bin" / program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env=_environment())

    def document(self, *arguments: str | Path) -> Any:
        """What a freshtune command says with ``--json``."""
        done = self.run("freshtune", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def serving(self, workspace: Path) -> Iterator[str]:
        """Serve a workspace; gives the URL."""
        command: list[str | Path] = [self.folder / "bin" / "freshtune", "serve", "-w", workspace, "--port", "0"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=self.folder, env=_environment())
        assert process.stderr
        try:
            first = process.stderr.readline()
            assert '"url"' in first, first + process.stderr.read()
            yield json.loads(first)["url"]
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=30)
        assert process.returncode in (0, -signal.SIGTERM), errors


@pytest.fixture(scope="module")
def light(folder: Path) -> Light:
    """Made of the lock and a wheel of this checkout. pip's settings are those of the environment."""
    tree, wheels, target = folder / "tree", folder / "wheels", folder / "light"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    pip = ("-m", "pip", "--disable-pip-version-check", "--no-input")
    _done(sys.executable, *pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, tree)
    _done(sys.executable, "-m", "venv", target)
    install = (target / "bin" / "python", *pip, "install", "--no-deps", "--no-compile")
    _done(*install, "--require-hashes", "-r", ROOT / "requirements" / "serve.txt")
    _done(*install, "--no-index", *wheels.glob("*.whl"))
    return Light(target)


def test_nothing_that_trains_is_there(light: Light) -> None:
    program = f"import importlib.util; print([name for name in {TRAINERS!r} if importlib.util.find_spec(name)])"
    assert light.run("python", "-c", program).stdout == "[]\n"
    from_here = f"import freshtune; assert not freshtune.__file__.startswith({str(ROOT)!r}), freshtune.__file__"
    assert light.run("python", "-c", from_here).returncode == 0


def test_the_service_answers_as_the_machine_that_trained(light: Light, shop: front_door.OpenWorkspace) -> None:
    root = shop.store.root
    scopes = [word for scope in ("predict", "ingest") for word in ("--scope", scope)]
    key = light.document("keys", "create", "shop front", *scopes, "-w", root)["key"]
    before = shop.store.events.head()
    headers = {"Authorization": f"Bearer {key}"}
    with light.serving(root) as url, httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        predicted = client.post("/v1/predict/sentiment", json={"inputs": TEXTS})
        stored = client.post("/v1/events", json=EVENTS)
    assert predicted.status_code == 200, predicted.text
    assert predicted.json()["release"] == shop.release_of("sentiment")
    _same(predicted.json()["answers"], shop.predict("sentiment", TEXTS))
    assert stored.status_code == 200, stored.text
    assert stored.json()["kept"] == len(EVENTS)
    assert shop.store.events.head() == before + len(EVENTS)


def test_the_command_line_answers_as_the_machine_that_trained(light: Light, shop: front_door.OpenWorkspace) -> None:
    file = light.folder / "texts.txt"
    file.write_text("\n".join(TEXTS), "utf-8")
    found = light.document("predict", file, "--task", "sentiment", "-w", shop.store.root)
    _same(found["answers"], shop.predict("sentiment", TEXTS))
    listed = light.document("releases", "list", "-w", shop.store.root)
    assert [(each["id"], each["live"]) for each in listed] == [(shop.release_of("sentiment"), True)]
    assert light.document("releases", "verify", "-w", shop.store.root)["whole"] is True
    data = light.folder / "data.jsonl"
    data.write_text("".join(json.dumps({"text": each["text"], "label": each["label"]}) + "\n" for each in EVENTS))
    columns = ("--text", "text", "--label", "label")
    judged = light.document("evaluate", "--task", "sentiment", "--data", data, *columns, "-w", shop.store.root)
    assert judged["examples"] == len(EVENTS)


@pytest.mark.parametrize("act", ["train", "update"])
def test_learning_is_refused_with_what_to_install(light: Light, shop: front_door.OpenWorkspace, act: str) -> None:
    done = light.run("freshtune", act, "sentiment", "-w", shop.store.root)
    assert done.returncode == 5, done.stderr
    told = " ".join(done.stderr.split())
    assert "pip install 'freshtune[train]'" in told
    assert "torch" in told
    assert "Traceback" not in told
    assert len(shop.store.registry.list("sentiment")) == 1


def _same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert [each["label"] for each in ours] == [each["label"] for each in theirs]
    assert len({each["score"] for each in ours}) > 2, "answers that are all alike show nothing"
    for one, other in zip(ours, theirs, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-6)
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)


def _environment() -> dict[str, str]:
    """This one's, but for what would lend the other its packages or settings."""
    lent = ("PYTHON", "FRESHTUNE", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(lent)}


def _done(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), cwd=Path(command[0]).parent)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2_000:]}{done.stderr[-4_000:]}"
