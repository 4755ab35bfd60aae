"""The terms in freshtune.toml: each by its name, with bounds that are kept before torch is imported."""

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from freshtune.errors import ConfigurationError
from freshtune.learn.challenger import Learn
from freshtune.learn.losses import LOSSES
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.supervised import Supervised
from freshtune.settings import as_tree, read_settings, settings_of

HEADER = "[tasks.sentiment]\n[[learn.losses]]\nname = 'supervised'\n"
MEMBERS: Mapping[str, Any] = LOSSES
NUMBERS = [
    (name, place.name)
    for name, member in MEMBERS.items()
    for place in dataclasses.fields(member)
    if isinstance(place.default, int | float)
]
WRONG: dict[str, str] = {
    "name = 'fmg'": "Did you mean 'fgm'?",
    "name = 'virtual_adverserial'": "Did you mean 'virtual_adversarial'?",
    "name = 'fgm'\nepsilons = 0.1": "Did you mean 'epsilon'?",
    "name = 'fgm'\nsteps = 3": "steps",
    "name = 'fgm'\nepsilon = 0": "epsilon",
    "name = 'fgm'\nepsilon = 1.5": "epsilon",
    "name = 'pgd'\nsteps = 0": "steps",
    "name = 'pgd'\nsteps = 2.5": "steps",
    "name = 'freelb'\nsteps = 1000": "steps",
    "name = 'pgd'\nstep_size = 0.0": "step_size",
    "name = 'virtual_adversarial'\niterations = 0": "iterations",
    "name = 'virtual_adversarial'\nprobe = 0.0": "probe",
    "name = 'smart'\nstart = 0": "start",
    "name = 'ewc'\nrows = 0": "rows",
    "name = 'pairwise'\nform = 'hing'": "form",
    "name = 'pairwise'\nmargin = 0": "margin",
    "name = 'listwise'\ntemperature = 0": "temperature",
    "name = 'supervised'\nfocal_gamma = 11": "focal_gamma",
    "name = 'supervised'\nclass_balance = 1": "class_balance",
    "name = 'supervised'\nlabel_smoothing = 1": "label_smoothing",
    "name = 'distillation'\ntemperature = 0": "temperature",
}


def read(root: Path, table: str) -> Any:
    (root / "freshtune.toml").write_text(f"{HEADER}[[learn.losses]]\n{table}\n", "utf-8")
    return read_settings(root, (), {}).learn.losses[1]


@pytest.mark.parametrize("name", LOSSES)
def test_each_term_is_chosen_by_its_name_and_takes_its_own_defaults(tmp_path: Path, name: str) -> None:
    member: Any = LOSSES[name]
    assert read(tmp_path, f"name = '{name}'") == member()
    assert read(tmp_path, f"name = '{name}'\nweight = 0.25") == member(weight=0.25)
    whole = "\n".join(f"{key} = {json.dumps(value)}" for key, value in dataclasses.asdict(member()).items())
    assert read(tmp_path, whole) == member(), "what config show prints"


def test_by_default_terms_are_as_they_were() -> None:
    settings = settings_of({"tasks": {"sentiment": {}}})
    assert settings.learn.losses == Learn().losses == (Supervised(new=2.0), Distillation(remembered=1.0))
    assert Supervised() == Supervised(weight=1.0, label_smoothing=0.0, focal_gamma=0.0, class_balance=0.0)
    tree: Any = as_tree(settings)["learn"]
    assert [term["name"] for term in tree["losses"]] == ["supervised", "distillation"]


def test_all_terms_together_are_settings_too() -> None:
    tree: Any = {"tasks": {"sentiment": {}}, "learn": {"losses": [{"name": name} for name in LOSSES]}}
    assert settings_of(tree).learn.losses == tuple(member() for member in LOSSES.values())


@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_no_number_is_negative_infinite_or_none_at_all(name: str, key: str) -> None:
    assert len(NUMBERS) > 30
    for value in (-1, -0.5, math.inf, -math.inf, math.nan):
        with pytest.raises(ConfigurationError, match=key):
            settings_of({"tasks": {"sentiment": {}}, "learn": {"losses": [{"name": name, key: value}]}})


@pytest.mark.parametrize("table", WRONG)
def test_what_is_wrong_is_refused_by_name(tmp_path: Path, table: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, table)
    assert WRONG[table] in str(refused.value)


def test_all_of_it_is_refused_without_torch(tmp_path: Path) -> None:
    child = """
import json, sys
from pathlib import Path
from freshtune.errors import ConfigurationError
from freshtune.settings import read_settings
refused = 0
root = Path(sys.argv[1])
for table in json.loads(sys.argv[2]):
    (root / "freshtune.toml").write_text(sys.argv[3] + "[[learn.losses]]\\n" + table + "\\n")
    try:
        read_settings(root, (), {})
    except ConfigurationError:
        refused += 1
print(json.dumps([refused, sorted({"torch", "transformers", "onnx"} & set(sys.modules))]))
"""
    command = [sys.executable, "-W", "error", "-c", child, str(tmp_path), json.dumps(list(WRONG)), HEADER]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [len(WRONG), []]
