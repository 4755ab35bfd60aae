"""Which weights learn. A member acts on a finished model: it freezes, unfreezes or injects."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from freshtune.model.adapters.full import Full
from freshtune.model.adapters.head_only import HeadOnly
from freshtune.model.adapters.top_layers import TopLayers

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel


class Adapter(Protocol):
    """A choice of trainable weights. A member is a frozen dataclass whose fields are its settings."""

    def lowest_trained(self, layers: int) -> int:
        """Layers below the first trained one: 0 where the embeddings learn, ``layers`` where only the head does."""

    def attach(self, model: "TextModel") -> None:
        """Set ``requires_grad`` of every parameter; leaves all values as they are."""


ADAPTERS: Mapping[str, type[Adapter]] = {"full": Full, "top_layers": TopLayers, "head_only": HeadOnly}
