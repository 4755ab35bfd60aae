"""A recipe that cannot work is refused before anything computes: by its key, with the nearest that there is.

Every way in is walked: ``freshtune.toml``, the environment, ``--set`` and Python; ``train``, ``update`` and
``config validate``. All of it runs in one process that must not have imported torch at its end.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from freshtune import front_door
from freshtune.errors import NotFound
from freshtune.model.adapters import ADAPTERS, Bounded
from freshtune.model.backbone_files import backbone_folder, shape_at_hand, shape_of
from freshtune.model.bundled import BUNDLED, default_cache
from tests.model.tiny_models import rewritten_config
from tests.small_shop import REVIEW, backbone, close, make_shop, reviews

ANYWHERE: Mapping[str, str] = {
    "lern.fit.epochs = 3": "Did you mean 'learn'?",
    "learn.fit.epoch = 3": "Did you mean 'epochs'?",
    "learn.adaptor.k = 3": "Did you mean 'adapter'?",
    "learn.trunk.shares = 0.5": "Did you mean 'share'?",
    "learn.adapter.name = 'lorra'": "Did you mean 'lora'?",
    "learn.adapter = {name = 'lora', r = 8}": "learn.adapter.r",
    "learn.adapter = {name = 'lora', ranks = 8}": "Did you mean 'rank'?",
    "learn.adapter = {name = 'lora', rank = 0}": "rank = 0 is too small",
    "learn.adapter = {name = 'lora', linears = ['query', 'qvk']}": "A layer has qkv, attention_out",
    "learn.adapter = {name = 'lora', linears = ['qvk']}": "Did you mean 'qkv'?",
    "learn.adapter = {name = 'adalora', rank = 0}": "rank = 0 is less than target_rank",
    "learn.adapter = {name = 'top_layers', k = 0}": "k = 0 is too small",
    "learn.adapter = {name = 'trainable_tokens', rows = [-4]}": "rows",
    "learn.trunk.adapter = {name = 'lora', rank = 0}": "rank = 0 is too small",
    "learn.fit.learning_rate = -1e-4": "learn.fit.learning_rate",
    "learn.first.head_rate_ratio = 0": "learn.first.head_rate_ratio",
    "learn.fit.optimiser.name = 'adam'": "Did you mean 'adamw'?",
    "learn.fit.schedule.name = 'cosin'": "Did you mean 'cosine'?",
    "learn.memory.name = 'resevoir'": "Did you mean 'reservoir'?",
    "learn.losses = [{name = 'distilation'}]": "Did you mean 'distillation'?",
    "learn.losses = [{name = 'supervised'}, {name = 'pairwise', form = 'hing'}]": "Did you mean 'hinge'?",
    "learn.losses = [{name = 'supervised', weight = -1}]": "weight",
    "learn.losses = [{name = 'supervised', weight = 0.0}]": "no term of a weight above 0",
    "learn.losses = []": "no term of a weight above 0",
    "learn.average = []": "learn.average is empty",
    "learn.average = [1.5]": "learn.average",
    "learn.memory.mix = -1": "mix",
    "ship.compression.name = 'int4'": "Did you mean 'int8'?",
    "model.taps = [0.5, 1.5]": "model.taps",
    "model.max_token = 64": "Did you mean 'max_tokens'?",
}
"""What no backbone makes right, and the words of its refusal."""
WAYS = ("file", "environment", "flag", "python")
LAYERS = 4
AGAINST_BACKBONE: Mapping[str, str] = {
    "learn.adapter = {name = 'top_layers', k = 99}": "k = 99 is more layers than there are.\nThe backbone has 4.",
    "learn.adapter = {name = 'lora', k = 5}": "Set 4 at most.",
    "learn.adapter = {name = 'ia3', k = 5}": "Set 4 at most.",
    "learn.adapter = {name = 'bias_only', k = 5}": "Set 4 at most.",
    "learn.adapter = {name = 'lora', rank = 33, k = 1}": "The backbone is 32 wide.",
    "learn.adapter = {name = 'adalora', rank = 33, k = 1}": "The backbone is 32 wide.",
    "learn.adapter = {name = 'trainable_tokens', rows = [3, 99999]}": "there is no token 99999",
    "learn.trunk = {share = 0.5, adapter = {name = 'top_layers', k = 99}}": "Set 4 at most.",
    "model.max_tokens = 64": "It has 40 positions.\nSet 40 at most.",
    "model.cut = 5": "model.cut = 5 lies outside the backbone.\nIt has 4 layers.",
    "model.cut = -5": "model.cut = -5 lies outside the backbone.",
    "model.cut = 3": "The head cannot read layer 2 of 4.\nThe trunk ends at layer 3",
    "model.backbone = 'bundled:minilmm'": "Did you mean 'minilm'?",
    "model.backbone = 'bundled:e5'": "Known: multilingual-e5-small, minilm, bert-tiny.",
}
"""What a backbone of four layers, 32 wide and with 40 positions, lacks; its head reads layers 2, 3 and 4."""
AGAINST_CHAMPION: Mapping[str, str] = {
    "learn.adapter = {name = 'top_layers', k = 99}": "The backbone has 2.",
    "learn.adapter = {name = 'top_layers', k = 2}": "Set k to 1 at most, or make a new trunk",
    "learn.adapter = {name = 'lora', k = 2}": "Set k to 1 at most, or make a new trunk",
    "learn.adapter = {name = 'full'}": "Take top_layers with k = 1, or make a new trunk",
    "learn.adapter = {name = 'trainable_tokens', rows = [3]}": "Take top_layers with k = 1, or make a new trunk",
    "learn.adapter = {name = 'trainable_tokens', rows = [99999]}": "there is no token 99999",
    "learn.adapter = {name = 'lora', rank = 33, k = 1}": "The backbone is 32 wide.",
}
"""What a champion of two layers, cut above the first, cannot be updated with."""

CHILD = """
import json, os, sys
from pathlib import Path
from typer.testing import CliRunner
import freshtune
from freshtune.cli import app
from freshtune.errors import FreshtuneError

def say(code, said):
    heavy = sorted({"torch", "transformers", "onnx", "sklearn"} & set(sys.modules))
    answers.append([code, " ".join(line.lstrip("✗→ ") for line in said.split("\\n")), heavy])

answers = []
for case in json.loads(Path(sys.argv[1]).read_text()):
    root, command, way = Path(case["root"]), case["command"].split(), case["way"]
    file, environment = root / "freshtune.toml", dict(os.environ)
    written, flags = file.read_text(), []
    key, _, value = case["line"].partition(" = ")
    if way == "file":
        kept = [line for line in written.split("\\n") if not line.startswith(key + " =")]
        file.write_text("\\n".join([case["line"], *kept]))
    elif way == "environment":
        os.environ["FRESHTUNE__" + key.upper().replace(".", "__")] = value
    else:
        flags = [key + "=" + value]
    try:
        if way == "python":
            shop = freshtune.open(root, flags)
            getattr(shop, command[0])("sentiment")
            say(0, "")
        else:
            done = CliRunner().invoke(app, [*command, "-w", str(root), *(p for f in flags for p in ("--set", f))])
            say(done.exit_code, done.stderr + ("" if done.exit_code else done.stdout))
    except FreshtuneError as error:
        say(error.exit_code, str(error))
    file.write_text(written)
    os.environ.clear()
    os.environ.update(environment)
print(json.dumps(answers))
"""


class Case(NamedTuple):
    """One line of a recipe, by one way into one command."""

    root: str
    command: str
    way: str
    line: str
    words: str


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A workspace without a release, whose backbone is a description and no weights, and one with a release."""
    folder = tmp_path_factory.mktemp("recipes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(folder / "cache"))
        model = backbone(folder / "backbone")
        trained = make_shop(folder / "trained", model)
        trained.ingest(reviews(0, 400), REVIEW)
        assert trained.train("sentiment").verdict.promote
        close(trained)
    plain, described = folder / "plain", folder / "described"
    close(front_door.create(plain, ["sentiment"]))
    described.mkdir()
    shutil.copy(model / "config.json", described)
    rewritten_config(described, num_hidden_layers=LAYERS)
    for root, named in ((plain, described), (folder / "trained", model)):
        lines = [f"model.backbone = {json.dumps(str(named))}", "model.max_tokens = 32", "[tasks.sentiment]", ""]
        (root / "freshtune.toml").write_text("\n".join(lines), "utf-8")
    return plain, folder / "trained"


def asked(cases: list[Case], tmp_path: Path) -> list[list[Any]]:
    listed = tmp_path / "cases.json"
    listed.write_text(json.dumps([case._asdict() for case in cases]), "utf-8")
    done = subprocess.run([sys.executable, "-c", CHILD, str(listed)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers: list[list[Any]] = json.loads(done.stdout)
    return answers


def cases_of(plain: str, trained: str) -> Iterator[Case]:
    """Every line into every command that it must stop; the ways in go round, so that each leads into each."""
    ways = cycle(WAYS)
    tables = (
        (ANYWHERE, ("config validate", "train sentiment", "update sentiment")),
        (AGAINST_BACKBONE, ("config validate", "train sentiment")),
        (AGAINST_CHAMPION, ("update sentiment",)),
    )
    for table, commands in tables:
        for line, words in table.items():
            for command in commands:
                way = next(ways)
                act = "train sentiment" if (way, command) == ("python", "config validate") else command
                yield Case(trained if act.startswith("update") else plain, act, way, line, words)


def test_every_way_in_refuses_what_cannot_work_before_torch_is_imported(
    shops: tuple[Path, Path], tmp_path: Path
) -> None:
    cases = list(cases_of(*map(str, shops)))
    answers = asked(cases, tmp_path)
    assert len(answers) == len(cases) > 120
    assert len({(case.command, case.way) for case in cases}) == 3 + 2 * len(WAYS), "each way into each command"
    wrong = [
        (case, answer)
        for case, answer in zip(cases, answers, strict=True)
        if answer[0] != 5 or " ".join(case.words.split("\n")) not in answer[1] or answer[2]
    ]
    assert wrong == []


def test_what_fits_is_valid_and_what_is_not_here_is_said(shops: tuple[Path, Path], tmp_path: Path) -> None:
    plain, _ = map(str, shops)
    lines = {
        "learn.adapter = {name = 'top_layers', k = 2}": "The settings are valid.",
        "learn.adapter = {name = 'lora', rank = 32, k = 2}": "The settings are valid.",
        "learn.adapter = {name = 'full'}": "The settings are valid.",
        "model.cut = -2": "The settings are valid.",
        "model.max_tokens = 40": "The settings are valid.",
        "model.backbone = 'bundled:multilingual-e5-small'": "The settings are valid.",
        "model.backbone = 'somebody/a-model-that-is-not-here'": "is not on this machine",
    }
    answers = asked([Case(plain, "config validate", "flag", line, words) for line, words in lines.items()], tmp_path)
    assert [(code, heavy) for code, _, heavy in answers] == [(0, [])] * len(lines)
    assert [words in said for words, (_, said, _) in zip(lines.values(), answers, strict=True)] == [True] * len(lines)


def test_members_that_ask_something_of_the_backbone_say_so() -> None:
    free = {"full", "head_only"}
    assert {name for name, member in ADAPTERS.items() if issubclass(member, Bounded)} == set(ADAPTERS) - free


@pytest.mark.parametrize("name", [name for name, model in BUNDLED.items() if model.packed])
def test_a_packed_models_shape_is_what_it_is_converted_to(name: str) -> None:
    try:
        folder = backbone_folder(f"bundled:{name}", default_cache())
    except NotFound as missing:
        pytest.skip(missing.mend)
    assert shape_at_hand(f"bundled:{name}") == shape_of(folder)
