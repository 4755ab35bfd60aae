"""From a model with parts on it to a plain one, and the few tensors that say what it learned."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from freshtune.model.adapters import Adapter, Factored, Prunes

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel


def learned(model: "TextModel") -> dict[str, "Tensor"]:
    """Copies of what a model with an adapter attached has learned, by name: factors where the change is low-rank.

    ``adapter.attach(base)``, ``base.load_top(learned)`` and ``adapter.settle(base)`` make the learned model again.
    """
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}


def settled(adapter: Adapter, model: "TextModel") -> dict[str, "Tensor"]:
    """End a run: prune for the last time, and merge; returns what was :func:`learned`."""
    if isinstance(adapter, Prunes):
        adapter.prune(model, 1.0)
    what = learned(model)
    adapter.settle(model)
    return what


def factors(adapter: Adapter, learned: Mapping[str, "Tensor"], share: float) -> dict[str, dict[str, "Tensor"]]:
    """What became of each weight by what was :func:`learned`, by the weight's name; see ``Factored.factors``.

    Args:
        share: of the tuned weights in the average with those that the run began with.
    """
    if not isinstance(adapter, Factored):
        return {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in learned.items():
        place, hung, key = name.partition(f".{adapter.part}.")
        if hung:
            parts.setdefault(f"{place}.weight", {})[key] = value
    return {name: _shared(adapter.factors(part), share) for name, part in parts.items()}


def _shared(change: Mapping[str, "Tensor"], share: float) -> dict[str, "Tensor"]:
    """Of what is added a share; of what is multiplied by, a share of the way from 1."""
    if "up" in change:
        return {"up": change["up"] * share, "down": change["down"]}
    return {kind: 1 + share * (value - 1) for kind, value in change.items()}
