"""Every weight learns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel


@dataclass(frozen=True)
class Full:
    """All layers and the embeddings; nothing can be cached, and the trunk changes with every update."""

    name: Literal["full"] = "full"
    merges: ClassVar[bool] = True

    def lowest_trained(self, layers: int) -> int:  # noqa: ARG002
        return 0

    def attach(self, model: "TextModel") -> None:
        model.requires_grad_(True)

    def settle(self, model: "TextModel") -> None:
        """Nothing: only the model's own weights have learned."""
