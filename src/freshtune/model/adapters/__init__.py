"""Which weights learn. A member acts on a finished model: it freezes, unfreezes, and hangs parts on it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from freshtune.model.adapters.adalora import AdaLora
from freshtune.model.adapters.bias_only import BiasOnly
from freshtune.model.adapters.bottleneck import Bottleneck
from freshtune.model.adapters.full import Full
from freshtune.model.adapters.head_only import HeadOnly
from freshtune.model.adapters.ia3 import Ia3
from freshtune.model.adapters.lora import Lora
from freshtune.model.adapters.prefix import Prefix
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.model.adapters.trainable_tokens import TrainableTokens

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel
    from freshtune.model.families import Architecture


class Adapter(Protocol):
    """A choice of trainable weights. A member is a frozen dataclass whose fields are its settings.

    Attributes:
        merges: whether :meth:`settle` turns what was learned into plain weights, so that serving never pays for it;
            where not, the parts stay on the model and are stored, exported and served with it.
    """

    merges: ClassVar[bool]

    def lowest_trained(self, layers: int) -> int:
        """Layers below the first trained one: 0 where the embeddings learn, ``layers`` where only the head does."""

    def attach(self, model: "TextModel") -> None:
        """Set ``requires_grad`` of every parameter and hang new parts on the model.

        Its own weights keep their names and values, and its outputs stay the same. First values of new parts come from
        torch's global generator. Parts that do not merge and hang there already, of the champion, learn on.

        Raises:
            ConfigurationError: the model cannot have such parts, or has them in another size; nothing is changed.
        """

    def settle(self, model: "TextModel") -> None:
        """Merge the parts into the model's own weights and take them off: the same outputs of a plain model.

        A member that does not merge leaves its parts where they are.
        """


@runtime_checkable
class Bounded(Protocol):
    """A member that asks for something that not every backbone has: so many layers, such tokens."""

    def require(self, backbone: "Architecture") -> None:
        """ConfigurationError where the backbone lacks it, with what it has instead."""


@runtime_checkable
class Prunes(Protocol):
    """A member that becomes smaller in the course of a run."""

    def prune(self, model: "TextModel", done: float) -> None:
        """Set what is too much to zero; ``done`` is the share of the run that is over, in (0, 1]."""


@runtime_checkable
class Factored(Protocol):
    """A member whose change of a linear map's weight takes few numbers.

    Attributes:
        part: name of what it hangs on a map.
    """

    part: ClassVar[str]

    def factors(self, part: Mapping[str, "Tensor"]) -> Mapping[str, "Tensor"]:
        """What :meth:`Adapter.settle` does to a weight ``[out, in]``: it adds ``up [out, r] · down [r, in]``, or
        multiplies its ``rows [out]`` or its ``columns [in]``."""


ADAPTERS: Mapping[str, type[Adapter]] = {
    "full": Full,
    "top_layers": TopLayers,
    "head_only": HeadOnly,
    "bias_only": BiasOnly,
    "lora": Lora,
    "adalora": AdaLora,
    "ia3": Ia3,
    "bottleneck": Bottleneck,
    "prefix": Prefix,
    "trainable_tokens": TrainableTokens,
}
