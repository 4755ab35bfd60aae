"""What suits a head alone does not suit layers: the defaults of a recipe, by what its adapter trains.

A head alone learns from vectors at hand: many epochs over all that is remembered cost a second or two. Through
layers each of them costs a pass, and what is learned fast is forgotten fast.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from freshtune.learn.challenger import FIRST_HEAD_FIT, HEAD_FIT, Learn
from freshtune.learn.fit import Fit
from freshtune.learn.memory import MEMORIES, Memory
from freshtune.learn.memory.sampled import Sampled
from freshtune.learn.optimisers.rates import DEFAULT_DECAYS, DEFAULT_RATES, Part

_PARTS: Mapping[str, Part] = {"head_only": "head", "top_layers": "layers", "full": "all", "trainable_tokens": "all"}
"""What an adapter trains; of one that is not named here it is a few numbers, added to layers."""
_TRUNK_FASTER = 2.0
"""What is averaged with where it began may go further. Layers that learn again in each update are not tuned first."""
_LAYERS_FIT = Fit(epochs=3)
_NAMES_EPOCHS, _NAMES_DECAY = 60, 1.0
"""How long a head of several names is fitted first, and how firmly held: most of its names are rare, so that few steps
see one, and what tells it is often a word."""
_LAYERS_MIX = 1.0


def suited(
    adapter: str, first: str = "adamw", later: str = "adamw", trunk: str = "full", memory: str = "balanced"
) -> Learn:
    """Defaults of a recipe; its adapter itself is left as it is.

    Args:
        adapter, trunk: names of the adapters of a top and of a trunk's tuning.
        first, later: names of the optimisers of a first release and of updates.
        memory: name of the memory.

    >>> [suited(name).fit.epochs for name in ("head_only", "lora")], suited("lora").fit.learning_rate
    ([15, 3], 0.001)
    """
    part, kept = _PARTS.get(adapter, "added"), MEMORIES.get(memory, MEMORIES["balanced"])()
    tuned = _rated(Learn.trunk.fit, _PARTS.get(trunk, "added"), "adamw", _TRUNK_FASTER)
    tuning = replace(Learn.trunk, share=Learn.trunk.share if part == "head" else 0.0, fit=tuned)
    if part == "head":
        ran = [_rated(fit, part, optimiser) for fit, optimiser in ((FIRST_HEAD_FIT, first), (HEAD_FIT, later))]
        return Learn(trunk=tuning, first=ran[0], fit=ran[1], memory=kept)
    ran = [_rated(_LAYERS_FIT, part, optimiser) for optimiser in (first, later)]
    return Learn(trunk=tuning, first=ran[0], fit=ran[1], memory=_thinner(kept))


def suited_to(tree: Mapping[str, Any]) -> tuple[Learn, bool]:
    """The defaults for settings as they were written, and whether they are a head's; what is wrong in them is another's
    to find."""
    adapter = _named(tree, "head_only", "learn", "adapter")
    first, later = (_named(tree, "adamw", "learn", run, "optimiser") for run in ("first", "fit"))
    trunk, memory = _named(tree, "full", "learn", "trunk", "adapter"), _named(tree, "balanced", "learn", "memory")
    return suited(adapter, first, later, trunk, memory), adapter == "head_only"


def suited_to_names(learn: Learn, tree: Mapping[str, Any], recipe: Mapping[str, Any]) -> Fit:
    """How the first fit of a head that answers with several names runs: what was not written is theirs.

    Args:
        tree: the settings as they were written.
        recipe: the task's own over them, as it was written.

    >>> suited_to_names(suited("head_only"), {"learn": {"first": {"epochs": 5}}}, {}).weight_decay
    1.0
    """
    usual = _named(tree, "head_only", "learn", "adapter")
    if _named({"learn": recipe}, usual, "learn", "adapter") != "head_only":
        return learn.first
    table = tree.get("learn", {})
    written = table.get("first", {}) if isinstance(table, Mapping) else {}
    return replace(
        learn.first,
        epochs=learn.first.epochs if "epochs" in written else _NAMES_EPOCHS,
        weight_decay=learn.first.weight_decay if "weight_decay" in written else _NAMES_DECAY,
    )


def _named(tree: Mapping[str, Any], default: str, *path: str) -> str:
    """The name of the member that is chosen there, or its default's."""
    found: Any = tree
    for key in (*path, "name"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else default


def _rated(fit: Fit, part: Part, optimiser: str, faster: float = 1.0) -> Fit:
    """With the tables' rate and decay; an optimiser that is not there is refused later, with its name."""
    rates, decays = (table.get(optimiser, table["adamw"]) for table in (DEFAULT_RATES, DEFAULT_DECAYS))
    return replace(fit, learning_rate=faster * rates[part], weight_decay=decays[part])


def _thinner(memory: Memory) -> Memory:
    return replace(memory, mix=_LAYERS_MIX) if isinstance(memory, Sampled) else memory
