"""Only what is added learns: the biases."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from freshtune.model.adapters.parts import Uppermost, head_alone

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel


@dataclass(frozen=True)
class BiasOnly(Uppermost):
    """The biases of the ``k`` uppermost layers and of the norm above them, and the head.

    Source: Ben Zaken, Goldberg and Ravfogel, *BitFit*, 2022.

    >>> BiasOnly(k=2).lowest_trained(12)
    10
    """

    name: Literal["bias_only"] = "bias_only"
    merges: ClassVar[bool] = True

    def attach(self, model: "TextModel") -> None:
        head_alone(model)
        trunk = {id(weight) for weight in model.trunk_parameters(self.lowest_trained(model.layers))}
        for name, weight in model.named_parameters():
            if name.endswith(".bias") and id(weight) not in trunk:
                weight.requires_grad_(True)

    def settle(self, model: "TextModel") -> None:
        """Nothing: only the model's own weights have learned."""
