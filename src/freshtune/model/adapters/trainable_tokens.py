"""Only the vectors of some tokens learn."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from freshtune.errors import ConfigurationError
from freshtune.model.adapters.parts import hang, head_alone, take_off

if TYPE_CHECKING:
    from torch import Tensor, nn

    from freshtune.model.backbone import TextModel
    from freshtune.model.families import Architecture

_PART = "added"


@dataclass(frozen=True)
class TrainableTokens:
    """A change of the given rows of the token embedding, zero at the start, and the head: for words that are new.

    Attributes:
        rows: ids of the tokens. Where there are none, no word is new and the head learns alone.

    >>> TrainableTokens(rows=(7, 9)).lowest_trained(12), TrainableTokens().lowest_trained(12)
    (0, 12)
    """

    rows: tuple[Annotated[int, Field(ge=0)], ...] = ()
    name: Literal["trainable_tokens"] = "trainable_tokens"
    merges: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if min(self.rows, default=0) < 0 or len(set(self.rows)) < len(self.rows):
            raise ConfigurationError(
                f"trainable_tokens: rows = {list(self.rows)} has an id below 0, or one twice.",
                "",
                "Name each token's id once.",
            )

    def require(self, backbone: "Architecture") -> None:
        if max(self.rows, default=0) >= backbone.vocabulary:
            raise ConfigurationError(
                f"trainable_tokens: there is no token {max(self.rows)}.",
                f"The backbone's vocabulary has {backbone.vocabulary}.",
                f"Name ids from 0 to {backbone.vocabulary - 1}.",
            )

    def lowest_trained(self, layers: int) -> int:
        return 0 if self.rows else layers

    def attach(self, model: "TextModel") -> None:
        import torch
        from torch import nn

        self.require(model.architecture)
        head_alone(model)
        if not self.rows:
            return
        part = nn.ParameterDict({"rows": torch.zeros(len(self.rows), model.width)})
        places = torch.full((model.architecture.vocabulary,), len(self.rows))
        places[list(self.rows)] = torch.arange(len(self.rows))
        part.register_buffer("places", places, persistent=False)
        hang(model.tokens, _PART, part, model.tokens.register_forward_hook(_added))

    def settle(self, model: "TextModel") -> None:
        import torch

        with torch.no_grad():
            for tokens, part in take_off(model, _PART):
                tokens.weight[list(self.rows)] += part["rows"]


def _added(tokens: "nn.Module", inputs: tuple["Tensor"], output: "Tensor") -> "Tensor":
    from torch.nn import functional

    rows = tokens.get_parameter(f"{_PART}.rows")
    places = tokens.get_buffer(f"{_PART}.places")[inputs[0]]
    return output + functional.embedding(places, functional.pad(rows, (0, 0, 0, 1)))
