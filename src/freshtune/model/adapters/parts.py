"""Where parts are hung on a model, and how they are taken off again.

A part is a child of the module that it changes, and acts through a hook on that module. So the model's own weights keep
their names while it learns, and a merged model is a plain one. The parts are our own and not those of ``peft`` for a
measured reason: importing that library takes 3.7 s on top of torch, a fifth of what a whole update may take.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from freshtune.errors import ConfigurationError
from freshtune.nearest import did_you_mean

if TYPE_CHECKING:
    from torch import nn
    from torch.utils.hooks import RemovableHandle

    from freshtune.model.backbone import Layer, TextModel
    from freshtune.model.families import Architecture

LINEARS = ("qkv", "attention_out", "inner_in", "inner_out")
"""Names of a layer's linear maps: queries, keys and values in one; out of attention; into and out of the inner part."""


def require_positive(member: str, field: str, value: int) -> None:
    """Refuse a size below 1: the member would learn nothing but the head."""
    if value < 1:
        raise ConfigurationError(
            f"{member}: {field} = {value} is too small.",
            "Only the head would learn.",
            "Set 1 or more, or take head_only.",
        )


def require_layers(member: str, k: int, backbone: "Architecture") -> None:
    """Refuse more layers than a backbone has: who names them has another backbone in mind."""
    if k > backbone.layers:
        raise ConfigurationError(
            f"{member}: k = {k} is more layers than there are.",
            f"The backbone has {backbone.layers}.",
            f"Set {backbone.layers} at most.",
        )


def require_rank(member: str, rank: int, backbone: "Architecture") -> None:
    """Refuse a rank above that of any linear map of a backbone."""
    if rank > backbone.width:
        raise ConfigurationError(
            f"{member}: rank = {rank} is more than any map has.",
            f"The backbone is {backbone.width} wide.",
            f"Set {backbone.width} at most, far less to save anything, or take top_layers.",
        )


def require_linears(member: str, names: Sequence[str]) -> None:
    """Refuse names that are no linear maps of a layer, names that come twice, and none at all."""
    for name in names:
        if name not in LINEARS:
            raise ConfigurationError(
                f"{member}: linears names {name!r}, which no layer has.",
                did_you_mean(name, LINEARS),
                f"A layer has {', '.join(LINEARS)}.",
            )
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(
            f"{member}: linears = {list(names)} names none, or one twice.", "", f"A layer has {', '.join(LINEARS)}."
        )


@dataclass(frozen=True)
class Uppermost:
    """What acts on the ``k`` uppermost layers, and the head.

    Attributes:
        k: number of layers.
    """

    k: int = 2
    name: str = ""

    def __post_init__(self) -> None:
        require_positive(self.name, "k", self.k)

    def require(self, backbone: "Architecture") -> None:
        require_layers(self.name, self.k, backbone)

    def lowest_trained(self, layers: int) -> int:
        return lowest(layers, self.k)


def lowest(layers: int, k: int) -> int:
    """The lowest of the ``k`` uppermost layers.

    >>> lowest(12, 2), lowest(2, 4)
    (10, 0)
    """
    return max(0, layers - k)


def head_alone(model: "TextModel") -> None:
    """Freeze every weight but the head's."""
    model.requires_grad_(False)
    model.head.requires_grad_(True)


def top_blocks(model: "TextModel", k: int) -> Iterator["Layer"]:
    """The ``k`` uppermost layers, from below."""
    for index in range(lowest(model.layers, k), model.layers):
        yield cast("Layer", model.blocks[str(index)])


def linears(model: "TextModel", k: int, names: Sequence[str]) -> Iterator["nn.Linear"]:
    """The named linear maps of the ``k`` uppermost layers."""
    for block in top_blocks(model, k):
        for name in names:
            yield cast("nn.Linear", block.get_submodule(name))


def hang(module: "nn.Module", name: str, part: "nn.Module", hook: "RemovableHandle") -> None:
    """Make ``part`` a child of the module whose ``hook`` applies it.

    Raises:
        ValueError: a part of that name hangs there already: an adapter is attached twice.
    """
    if hasattr(module, name):
        hook.remove()
        raise ValueError(f"There is a part {name!r} already; settle the model before attaching again.")
    module.add_module(name, part)
    cast(Any, part).hook = hook


def take_off(model: "TextModel", name: str) -> Iterator[tuple[Any, Any]]:
    """Every module that a part of this name hangs on, with the part, which is taken off before the next one comes."""
    for module in list(model.modules()):
        if name in dict(module.named_children()):
            part: Any = module.get_submodule(name)
            yield module, part
            part.hook.remove()
            delattr(module, name)
