"""The learning rate where the settings leave it out: by optimiser and by what is trained."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.blocks import TextModel

Part = Literal["head", "added", "layers", "all"]
_ABOVE = ("blocks.", "final_norm")

DEFAULT_RATES: Mapping[str, Mapping[Part, float]] = {
    "adamw": {"head": 1e-3, "added": 1e-3, "layers": 2e-4, "all": 5e-5},
    "sgd": {"head": 1e-1, "added": 1e-2, "layers": 1e-2, "all": 3e-3},
    "adafactor": {"head": 1e-2, "added": 1e-2, "layers": 3e-3, "all": 1e-3},
}
"""Optimiser → trained part → rate at the top of the schedule.

Why the columns fall: a head alone is a convex problem that takes large steps; the few numbers that an adapter adds
must move far to matter; whole layers hold what was learned before, and all of them together, embeddings included, hold
it most easily lost. Why the rows differ: AdamW's rate is the distance that each number moves, SGD's multiplies the
gradient itself, clipped to norm 1, and Adafactor's is a share of the weight's own size: of weights of some 0.05, such
shares are about AdamW's distances.

Where ``learn.range_test`` saw the loss fall fastest (multilingual-e5-small, 300 short reviews, 60 steps): AdamW 3.3e-3
added (the biases of two layers), 1.2e-3 two layers, 2.6e-4 all; SGD 1.9e-1 head, 3.2e-2 added, 8.7e-2 two layers. What
is set here is a half to a ninth of it, for an update goes on from a model that is good already. On a head alone with
AdamW, and throughout with Adafactor, the loss hardly moved in 60 steps: there the test found nothing, and the reasons
above decided.
"""

DEFAULT_DECAYS: Mapping[str, Mapping[Part, float]] = {
    "adamw": {"head": 10.0, "added": 0.01, "layers": 0.01, "all": 0.01},
    "sgd": {"head": 0.1, "added": 1e-4, "layers": 1e-4, "all": 1e-4},
    "adafactor": {"head": 1.0, "added": 0.01, "layers": 0.01, "all": 0.01},
}
"""Optimiser → trained part → weight decay per unit of rate.

A head reads more numbers of a text than there are texts, and decay is all that holds it: a hundredth of each weight a
step under every optimiser, so that what multiplies a larger rate is smaller. Layers are held by where they began.
"""

_DECAY_OF_WORDS = 0.2
"""Of that of other weights: few texts hold a word, so that most steps would only wear its weight down."""
_FEW = 0.1
"""Below this share of its layers' numbers, what is trained was added to them, or is only their biases and norms."""


def trained_part(model: "TextModel") -> Part:
    """Which column of the table a model belongs to, by the weights that require a gradient."""
    sizes = {name: weight.numel() for name, weight in model.named_parameters()}
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad and _place(name) != "head"]
    if not trained:
        return "head"
    touched = {_place(name) for name in trained}
    if sum(sizes[name] for name in trained) < _FEW * sum(sizes[name] for name in sizes if _place(name) in touched):
        return "added"
    return "layers" if all(place.startswith(_ABOVE) for place in touched) else "all"


def default_rate(optimiser: str, model: "TextModel") -> float:
    """The table's rate for an optimiser's name; for one that it does not know, AdamW's."""
    return DEFAULT_RATES.get(optimiser, DEFAULT_RATES["adamw"])[trained_part(model)]


def decay(name: str, weight: "Tensor", most: float) -> float:
    """Weight decay of a weight where that of matrices is ``most``; biases and norms have none."""
    if weight.dim() < 2:
        return 0.0
    return most * _DECAY_OF_WORDS if name.startswith("head.words") else most


def depth(name: str, layers: int) -> int:
    """How many layers lie above a weight: 0 for the uppermost layer, what follows it and the head.

    >>> [depth(name, 12) for name in ("head.weight", "blocks.11.query.weight", "blocks.0.query.bias", "tokens.weight")]
    [0, 0, 11, 12]
    """
    place = _place(name)
    if place.startswith("blocks."):
        return layers - 1 - int(place.removeprefix("blocks."))
    return 0 if place.startswith(("head", *_ABOVE)) else layers


def _place(name: str) -> str:
    """The layer, as ``blocks.7``, or the part beside the layers that a weight belongs to."""
    first, _, rest = name.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "blocks" else first
