"""The upper layers learn, the rest is trunk."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from freshtune.errors import ConfigurationError
from freshtune.model.adapters.parts import require_layers

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel
    from freshtune.model.families import Architecture


@dataclass(frozen=True)
class TopLayers:
    """The ``k`` uppermost layers, what follows them, and the head.

    The embeddings stay frozen even where ``k`` reaches all layers, so that the trunk is never another one.

    >>> TopLayers(k=4).lowest_trained(12)
    8
    """

    k: int = 4
    name: Literal["top_layers"] = "top_layers"
    merges: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigurationError(f"top_layers: k = {self.k} is too small.", "", "Set 1 or more, or take head_only.")

    def require(self, backbone: "Architecture") -> None:
        require_layers(self.name, self.k, backbone)

    def lowest_trained(self, layers: int) -> int:
        return max(0, layers - self.k)

    def attach(self, model: "TextModel") -> None:
        model.requires_grad_(True)
        for weight in model.trunk_parameters(self.lowest_trained(model.layers)):
            weight.requires_grad_(False)

    def settle(self, model: "TextModel") -> None:
        """Nothing: only the model's own weights have learned."""
