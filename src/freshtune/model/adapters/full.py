"""Every weight learns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel


@dataclass(frozen=True)
class Full:
    """All layers and the embeddings; nothing can be cached, and the trunk changes with every update."""

    name: Literal["full"] = "full"

    def lowest_trained(self, layers: int) -> int:  # noqa: ARG002
        return 0

    def attach(self, model: "TextModel") -> None:
        model.requires_grad_(True)
