"""``doctor`` and ``config``: the settings come out as TOML that is read back, and nothing is shown as Python."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from freshtune.cli import app
from freshtune.workspace import create_workspace


def call(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def without_none(tree: Any) -> Any:
    """What TOML can say of a tree."""
    if isinstance(tree, dict):
        return {key: without_none(value) for key, value in tree.items() if value is not None}
    return [without_none(value) for value in tree] if isinstance(tree, list) else tree


@pytest.fixture
def shop(tmp_path: Path) -> str:
    create_workspace(tmp_path / "shop", ["[tasks.sentiment]", "[tasks.rating]", ""])
    return str(tmp_path / "shop")


@pytest.mark.parametrize("flags", [[], ["--set", "intake.columns.label_map={'好 评'='positive'}"]])
def test_the_shown_settings_are_toml_without_empty_parts(shop: str, flags: list[str]) -> None:
    shown = call("config", "show", "-w", shop, *flags)
    assert tomllib.loads(shown) == without_none(json.loads(call("config", "show", "-w", shop, "--json", *flags)))
    lines = shown.split("\n")
    assert lines[0] == "[tasks.sentiment]"
    assert "[tasks]" not in lines
    assert "\n\n\n" not in shown
    (Path(shop) / "freshtune.toml").write_text(shown, "utf-8")
    assert call("config", "show", "-w", shop) == shown, "and they are the same once they are written down"


def test_doctor_names_extras_and_says_in_words_what_is_live(shop: str) -> None:
    shown = call("doctor", "-w", shop)
    rows = [row.split() for row in shown.split("\n")]
    packages = json.loads(call("doctor", "-w", shop, "--json"))["packages"]
    assert len(packages) > 10
    for name, facts in packages.items():
        assert [name, facts["version"], f"[{facts['extra']}]"] in rows
    assert f"workspace {shop}: 0 events · sentiment: no release yet · rating: no release yet" in shown
    assert "{" not in shown
    assert "no workspace" in call("doctor", "-w", str(Path(shop).parent))
