"""The files that settings come from, as trees of plain values: read, put over each other, and one of them written."""

import os
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from freshtune.errors import ConfigurationError
from freshtune.toml_text import toml_lines

TUNED = "tuned.toml"
_HEADING = """\
# Written by freshtune tune: recipes that were better than what stood before, each for one task.
# They win over freshtune.toml. To go back, delete a task's tables, or the file.
"""


def parsed(path: Path) -> dict[str, Any]:
    """A file's tree; FileNotFoundError where there is none."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} is no TOML.", str(error), "Write [table] lines and key = value lines, in UTF-8."
        ) from None


def tuned_recipes(root: Path) -> dict[str, dict[str, Any]]:
    """What ``freshtune tune`` has written into a workspace: by task, the keys of its recipe that it chose.

    Raises:
        ConfigurationError: the file is not as it was written.
    """
    path = root / TUNED
    try:
        tree = parsed(path)
    except FileNotFoundError:
        return {}
    recipes = tree.get("recipes", {})
    tables = recipes.values() if isinstance(recipes, dict) else [recipes]
    if set(tree) - {"recipes"} or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(
            f"{path} holds something else than recipes.",
            "It is written by freshtune tune: a table [recipes.TASK] for each task that was tuned.",
            f"Put settings of your own into freshtune.toml; delete {TUNED} to go back to what that says.",
        )
    return dict(recipes)


def write_recipe(root: Path, task: str, recipe: Mapping[str, Any]) -> Path:
    """Write one task's recipe in the place of its last one; the file is replaced whole, or not at all.

    Args:
        root: the workspace folder.
        recipe: the keys that were chosen, plain values.

    Returns:
        The file.
    """
    recipes = tuned_recipes(root) | {task: dict(recipe)}
    text = _HEADING + "\n".join(toml_lines({"recipes": recipes})) + "\n"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=root, prefix=".tuned-", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        Path(file.name).chmod(0o644)
        Path(file.name).replace(root / TUNED)
    except BaseException:
        Path(file.name).unlink(missing_ok=True)
        raise
    return root / TUNED


def put_over(table: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Put given values over those of a table; a member of a family, which has a name, takes the whole place."""
    for key, value in given.items():
        below = table.get(key)
        if isinstance(below, dict) and isinstance(value, dict) and "name" not in value:
            put_over(below, value)
        else:
            table[key] = value


def put(tree: dict[str, Any], keys: Sequence[str], written: str) -> None:
    """Put a value in; what is said of ``learn`` here is also said of every task that has a recipe of its own."""
    _put_one(tree, keys, written)
    recipes = tree.get("recipes")
    if keys[0] == "learn" and len(keys) > 1 and isinstance(recipes, dict):
        for task in recipes:
            _put_one(tree, ["recipes", task, *keys[1:]], written)


def _put_one(tree: dict[str, Any], keys: Sequence[str], written: str) -> None:
    try:
        value = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        value = written
    for place, key in enumerate(keys[:-1], 1):
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise ConfigurationError(
                f"{'.'.join(keys)} cannot be set.",
                f"{key} is a value, not a table.",
                f"Set {'.'.join(keys[:place])} itself.",
            )
    tree[keys[-1]] = value
