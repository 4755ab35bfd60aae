"""A recipe file as a strategy: freshtune's own loop with the settings of the file, under the file's name."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from freshtune.errors import ConfigurationError, NotFound
from freshtune.nearest import did_you_mean
from freshtune.settings import read_settings, settings_of
from freshtune.settings_files import parsed
from freshtune.settings_values import FILE
from freshtune.toml_text import toml_value

SUFFIX = ".toml"
TABLES = ("model", "learn", "judge", "ship")
SHARED = ("backbone", "max_tokens", "threads")
"""What is the same for all strategies of a replay, and therefore no recipe's own."""


def read_recipe(path: Path, task: str) -> tuple[str, ...]:
    """The settings of a recipe, in the form of ``--set``; checked, without torch.

    Args:
        path: a TOML file with tables as in ``freshtune.toml``: ``[model]``, ``[learn]``, ``[judge]``, ``[ship]``.
        task: name of the task that will be played.

    Raises:
        NotFound: there is no such file.
        ConfigurationError: it is no TOML, or holds a setting that there is not; names the nearest.
    """
    try:
        tree = parsed(path)
    except FileNotFoundError:
        near = did_you_mean(path.name, (each.name for each in path.parent.glob(f"*{SUFFIX}")))
        raise NotFound(f"There is no recipe {path}.", near, "Check the path, or name a strategy.") from None
    for table in tree:
        if table not in TABLES:
            raise ConfigurationError(
                f"{path}: a recipe has no table [{table}].",
                did_you_mean(table, TABLES),
                f"Its tables are {', '.join(TABLES)}.",
            )
    try:
        settings_of({"tasks": {task: {}}, **tree})
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.what}", error.why, error.mend) from None
    for key in SHARED:
        if key in tree.get("model", {}):
            raise ConfigurationError(
                f"{path} sets model.{key}.",
                "It is the same for all strategies of a replay.",
                "Leave it out; --backbone and --threads say it for all.",
            )
    return tuple(f"{key}={toml_value(value)}" for key, value in _leaves(tree, ()))


def check_flags(flags: Sequence[str], task: str) -> None:
    """ConfigurationError where one sets what is not there, before a cell finds out."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_text(f"[tasks.{task}]\n", "utf-8")
        read_settings(Path(folder), flags, {})


def _leaves(tree: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*place, key))
        else:
            yield ".".join((*place, key)), value
