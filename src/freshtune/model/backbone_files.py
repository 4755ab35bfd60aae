"""Where a backbone's files are, and what its ``config.json`` says of its shape. Imports nothing that computes."""

from pathlib import Path

import orjson

from freshtune.errors import IntegrityError, NotFound
from freshtune.model.bundled import bundled_at_hand, bundled_folder
from freshtune.model.families import Architecture, architecture_of
from freshtune.model.hub import hub_folder, hub_folder_at_hand
from freshtune.records import Json

_BUNDLED = "bundled:"


def backbone_folder(name: str, cache_folder: Path) -> Path:
    """The folder of a backbone by its name; what is packed is converted, what is on a hub is fetched.

    Raises:
        NotFound: nothing of that name here, and no network to fetch it; says what to install or where to put it.
        ConfigurationError: no bundled model has that name.
        IntegrityError: a bundled model's file is not the one that is known.
    """
    if name.startswith(_BUNDLED):
        return bundled_folder(name.removeprefix(_BUNDLED), cache_folder)
    return _named_folder(name) or hub_folder(name)


def shape_at_hand(name: str) -> Architecture | None:
    """The shape of a backbone, where it can be read without converting or fetching anything; else None.

    Raises:
        ConfigurationError: no bundled model has that name, or the model's family is not supported.
        IntegrityError, NotFound: its folder holds no ``config.json`` that can be read.
    """
    if name.startswith(_BUNDLED):
        found = bundled_at_hand(name.removeprefix(_BUNDLED))
        if found is None or isinstance(found, Architecture):
            return found
        return shape_of(found)
    folder = _named_folder(name) or hub_folder_at_hand(name)
    return None if folder is None else shape_of(folder)


def shape_of(folder: Path) -> Architecture:
    """The shape of the model in a folder; raises as :func:`shape_at_hand` does."""
    return architecture_of(config_of(folder))


def config_of(folder: Path) -> dict[str, Json]:
    """What a model's ``config.json`` says.

    Raises:
        NotFound: there is none.
        IntegrityError: it is no JSON object.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise NotFound(f"{folder} holds no config.json.", "", "Name the folder that a model was saved to.")
    try:
        config = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise IntegrityError(f"{path} is no JSON.", str(error)) from None
    if not isinstance(config, dict):
        raise IntegrityError(f"{path} is no JSON object.")
    return config


def _named_folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    return path if path.is_dir() else None
