"""The rules of the house, read out of the source by ``ast``: who may import whom, what stays light, what is small."""

import ast
import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "freshtune"
MODULES = sorted(SRC.rglob("*.py"))
STAGES = {"intake", "label", "learn", "judge", "ship", "serve", "shop", "watch"}
LAYERS: tuple[set[str], ...] = (
    {"records", "errors", "nearest", "toml_text"},
    {"databases", "record_json", "faults", "phases", "settings_files", "settings_values"},
    {"strata", "charts", "processor"},
    {"model"},
    {"tasks"},
    STAGES,
    {"workspace"},
    {"settings"},
    {"cycle", "serve.app"},
    {"rivals"},
    {"replay", "tune"},
    {"front_door"},
    {""},
    {"demo"},
    {"cli"},
    {"__main__"},
)
"""From the ground up; a module imports its own unit and lower layers. "" is ``freshtune`` itself."""
LAYER = {unit: level for level, units in enumerate(LAYERS) for unit in units}
TORCH = {"model/backbone.py", "model/blocks.py"}
"""The only modules that import torch while they are imported; nothing else may import one of them at its top."""
NO_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "core", "base", "misc"}


def relative(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def unit(name: str) -> str:
    """The part of the house that a dotted name below ``freshtune`` belongs to."""
    first = "serve.app" if f"{name}.".startswith("serve.app.") else name.split(".")[0]
    return first if first in LAYER else ""


def dotted(path: Path) -> str:
    return relative(path).removesuffix(".py").replace("/", ".").removesuffix("__init__").rstrip(".")


def imported(path: Path) -> set[str]:
    """Absolute names of everything that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def allowed(own: str, target: str) -> bool:
    if own == "workspace" and target in STAGES:
        return target in {"intake", "ship"}
    return target == own or LAYER[target] < LAYER[own]


def test_dependencies_point_one_way() -> None:
    top_level = {dotted(path).split(".")[0] for path in MODULES}
    assert top_level <= set(LAYER), "give a new top-level module its place in LAYERS"
    wrong, checked = [], 0
    for path in MODULES:
        own = unit(dotted(path))
        for name in imported(path):
            if name.split(".")[0] == "freshtune" and name != "freshtune.__version__":
                checked += 1
                if not allowed(own, unit(name.removeprefix("freshtune").lstrip("."))):
                    wrong.append(f"{relative(path)} imports {name}")
    assert wrong == []
    assert len(MODULES) >= 60
    assert checked >= 200


def test_the_rule_forbids_what_it_is_for() -> None:
    forbidden = [
        ("learn", "judge"),
        ("intake", "ship"),
        ("model", "tasks"),
        ("records", "model"),
        ("workspace", "learn"),
    ]
    forbidden += [
        ("serve", "serve.app"),
        ("serve.app", "cycle"),
        ("cycle", "cli"),
        ("learn", "workspace"),
        ("ship", ""),
    ]
    assert [pair for pair in forbidden if allowed(*pair)] == []
    assert all(
        allowed(*pair) for pair in [("cycle", "learn"), ("serve.app", "ship"), ("workspace", "ship"), ("cli", "")]
    )


def test_only_the_listed_modules_import_torch_and_the_rest_loads_without_it() -> None:
    names = [f"freshtune.{dotted(path)}".rstrip(".") for path in MODULES if relative(path) not in TORCH]
    program = (
        "import importlib, json, sys\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'torch', 'transformers', 'onnx', 'onnxscript'} & set(sys.modules)\n"
        "    assert not heavy, f'{name} imports {heavy}'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps([name for name in names if not name.endswith("__main__")])],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(names) == len(MODULES) - len(TORCH)
    for name in TORCH:
        assert any(found.split(".")[0] == "torch" for found in imported(SRC / name)), f"{name} needs no place in TORCH"


def families() -> dict[str, tuple[list[str], list[str]]]:
    """Every literal dict of classes in a package's ``__init__``: its keys, its members."""
    found = {}
    for path in MODULES:
        if path.name != "__init__.py":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.value, ast.Dict)
                and isinstance(node.target, ast.Name)
            ):
                keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
                members = [value.id for value in node.value.values if isinstance(value, ast.Name)]
                if node.target.id.isupper() and members:
                    found[f"{relative(path)}:{node.target.id}"] = ([str(key) for key in keys], members)
    return found


def test_a_family_lists_each_member_once() -> None:
    found = families()
    for name, (keys, members) in found.items():
        assert len(keys) == len(members), f"{name} is no plain literal"
        twice = [item for item, times in (Counter(keys) + Counter(members)).items() if times > 1]
        assert twice == [], f"{name} lists {twice} twice"
    assert {name.split("/__init__")[0] for name in found} >= {
        "tasks",
        "model/heads",
        "model/adapters",
        "ship/compression",
    }


def test_names_say_what_is_inside() -> None:
    assert [relative(path) for path in MODULES if {part.removesuffix(".py") for part in path.parts} & NO_NAMES] == []


def test_no_module_is_long() -> None:
    sizes = {relative(path): len(path.read_text(encoding="utf-8").split("\n")) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


def test_layers_are_disjoint() -> None:
    assert sum(len(units) for units in LAYERS) == len(LAYER)
    assert all(low and high for low, high in pairwise(LAYERS))
