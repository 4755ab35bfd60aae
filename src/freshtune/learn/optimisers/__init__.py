"""How weights move along their gradients. All are our own few lines, each equal to torch's of the same name.

Why our own: the first step of a ``torch.optim`` optimiser imports the compiler, 1.8 s, a tenth of what a whole update
may take.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from freshtune.learn.optimisers.adafactor import Adafactor
from freshtune.learn.optimisers.adamw import AdamW
from freshtune.learn.optimisers.sgd import Sgd

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.learn.optimisers.move import Move


class Optimiser(Protocol):
    """A rule for one weight. A member is a frozen dataclass whose fields are its settings; it holds no state itself."""

    @property
    def name(self) -> str:
        """Its key in OPTIMISERS."""

    def slots(self, weight: "Tensor") -> "dict[str, Tensor]":
        """What it keeps of one weight between steps, as it is before the first: by name, float32."""

    def step(self, weight: "Tensor", gradient: "Tensor", slots: "Mapping[str, Tensor]", move: "Move") -> None:
        """Move a weight in place, and its slots with it; the caller holds gradients off."""


OPTIMISERS: Mapping[str, type[Optimiser]] = {"adamw": AdamW, "sgd": Sgd, "adafactor": Adafactor}
