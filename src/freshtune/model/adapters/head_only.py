"""Only the last linear layer learns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel


@dataclass(frozen=True)
class HeadOnly:
    """The whole network is trunk: the fastest update, and the one that learns least."""

    name: Literal["head_only"] = "head_only"
    merges: ClassVar[bool] = True

    def lowest_trained(self, layers: int) -> int:
        return layers

    def attach(self, model: "TextModel") -> None:
        model.requires_grad_(False)
        model.head.requires_grad_(True)

    def settle(self, model: "TextModel") -> None:
        """Nothing: only the model's own weights have learned."""
