"""A top's weights as what is different from its parent's: low-rank where the change is, else whole.

What is stored is rebuilt before it is judged, and numpy's plain products and sums in one order give the same bits on
every machine. A chain of changes ends at a release that holds its weights whole.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freshtune.errors import IntegrityError
from freshtune.ship.registry_reader import RegistryReader

WEIGHTS, CHANGE = "top.safetensors", "top_change.safetensors"
LONGEST = 16
"""Changes in a row at most; then the weights are stored whole, so that no update waits for a long chain."""
_SHARE = 0.25
"""A change that is larger than this share of the weights is not worth a chain."""
_SAME = 1e-5

Floats = NDArray[np.float32]
Parts = Mapping[str, Floats]


def applied(weight: Floats, parts: Parts) -> Floats:
    """A parent's matrix ``[out, in]`` with a change: ``up [out, r] · down [r, in]`` added, or its ``rows [out]`` or
    ``columns [in]`` each times a factor.

    >>> applied(np.ones((2, 2), np.float32), {"columns": np.asarray([1, 3], np.float32)}).tolist()
    [[1.0, 3.0], [1.0, 3.0]]
    """
    if "rows" in parts:
        return weight * parts["rows"][:, None]
    if "columns" in parts:
        return weight * parts["columns"]
    change = np.zeros_like(weight)
    for up, down in zip(parts["up"].T, parts["down"], strict=True):
        change += up[:, None] * down
    return weight + change


def change_of(weights: Parts, parent: Parts, factors: Mapping[str, Parts]) -> dict[str, Floats]:
    """What to store of a top.

    Args:
        weights: of the top, by name.
        parent: of the release that it was tuned from.
        factors: what the adapter says that it did to some of them; believed where it gives the weight again.

    Returns:
        Changed weights by name; a factor under its weight's name, a slash, and the part's.
    """
    stored: dict[str, Floats] = {}
    for name, weight in weights.items():
        before, parts = parent.get(name), factors.get(name)
        if before is not None and np.array_equal(before, weight):
            continue
        if before is not None and parts and np.allclose(applied(before, parts), weight, rtol=0, atol=_SAME):
            stored |= {f"{name}/{part}": np.ascontiguousarray(value) for part, value in parts.items()}
        else:
            stored[name] = weight
    return stored


def rebuilt(parent: Parts, stored: Parts) -> dict[str, Floats]:
    """A parent's weights with a stored change; IntegrityError where it is of another model."""
    weights, factors = dict(parent), dict[str, dict[str, Floats]]()
    for key, value in stored.items():
        name, slash, part = key.partition("/")
        if slash:
            factors.setdefault(name, {})[part] = value
        else:
            weights[name] = value
    try:
        return weights | {name: applied(parent[name], parts) for name, parts in factors.items()}
    except (KeyError, ValueError) as error:
        raise IntegrityError("The stored change of a release does not fit its parent.", str(error)) from None


def is_small(stored: Parts, weights: Parts) -> bool:
    """Whether a change is worth a chain."""
    return _bytes(stored) <= _SHARE * _bytes(weights)


def write_change(stored: Parts, weights: Parts, steps: int, path: Path) -> None:
    """Write a change, with the digest of the weights that come of it and its place in the chain, from 1."""
    from safetensors.numpy import save_file

    save_file(dict(stored), path, {"weights": digest_of_weights(weights), "steps": str(steps)})


def facts_of_change(path: Path) -> tuple[str, int]:
    """The digest of the weights that come of a change, and its place in the chain; of no file ("", 0)."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return "", 0
    try:
        with safe_open(path, "numpy") as stored:
            facts = stored.metadata()
        return str(facts["weights"]), int(facts["steps"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path.name} of a release cannot be read.", str(error)) from None


def digest_of_weights(weights: Parts) -> str:
    """Sha256 of names, shapes and values."""
    found = hashlib.sha256()
    for name in sorted(weights):
        found.update(f"{name}\0{weights[name].shape}\0".encode())
        found.update(np.ascontiguousarray(weights[name], np.float32).data)
    return found.hexdigest()


def top_weights(registry: RegistryReader, release: str) -> dict[str, Floats]:
    """A release's top, out of its own files or of its ancestors' and what changed since.

    Raises:
        NotFound: no such release.
        IntegrityError: a file of the chain is missing or damaged, or what comes of it is not what was judged.
    """
    from safetensors.numpy import load_file

    files = registry.files(release)
    if WEIGHTS in files:
        return load_file(registry.artefacts.path(files[WEIGHTS]))
    parent = registry.summary(release).parent
    if CHANGE not in files or parent is None:
        raise IntegrityError(f"{release} has no weights.", mend="Choose another release, or train again.")
    path = registry.artefacts.path(files[CHANGE])
    weights = rebuilt(top_weights(registry, parent), load_file(path))
    if digest_of_weights(weights) != facts_of_change(path)[0]:
        raise IntegrityError(
            f"The weights of {release} are not those that were judged.",
            "They were rebuilt from what changed since its parent.",
            "`freshtune releases verify` lists what is affected; roll back, or train again.",
        )
    return weights


def _bytes(weights: Parts) -> int:
    return sum(weight.nbytes for weight in weights.values())
