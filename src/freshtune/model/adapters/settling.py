"""From a model with parts on it to a plain one, and the few tensors that say what it learned."""

from typing import TYPE_CHECKING

from freshtune.model.adapters import Adapter, Prunes

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
