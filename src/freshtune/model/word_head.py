"""What stands above an encoder that was pretrained to guess masked words, where its weights carry it.

Its last step, from a vector to a number a word, is the table of word embeddings in every family here (tied), unless a
file holds a matrix of its own. The step before, a dense layer and a norm, is no part of the encoder: without it the
tied table alone guesses nothing, and what a file lacks is not made up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freshtune.errors import ConfigurationError
from freshtune.model.families import Activation

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

_NAMES: Mapping[str, Mapping[str, str]] = {
    "cls.predictions.": {
        "dense.weight": "transform.dense.weight",
        "dense.bias": "transform.dense.bias",
        "norm.weight": "transform.LayerNorm.weight",
        "norm.bias": "transform.LayerNorm.bias",
        "bias": "bias",
    },
    "lm_head.": {
        "dense.weight": "dense.weight",
        "dense.bias": "dense.bias",
        "norm.weight": "layer_norm.weight",
        "norm.bias": "layer_norm.bias",
        "bias": "bias",
    },
}
"""Prefix → our name → the name behind the prefix: BERT's and ERNIE's, then RoBERTa's and XLM-R's."""
_OLD = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}


@dataclass(frozen=True)
class WordHead:
    """The weights of a masked language model above its encoder, to be trained with it.

    Attributes:
        weights: ``dense.weight [width, width]``, ``dense.bias``, ``norm.weight``, ``norm.bias`` and ``bias [words]``;
            ``decoder.weight [words, width]`` where it is not tied.
    """

    weights: Mapping[str, "Parameter"]
    activation: Activation
    norm_epsilon: float

    def logits(self, hidden: "Tensor", tied: "Tensor") -> "Tensor":
        """A number a word, ``[n, words]``.

        Args:
            hidden: what the last layer says of some tokens, ``[n, width]``.
            tied: the table of word embeddings, ``[words, width]``.
        """
        from torch.nn import functional

        dense = functional.linear(hidden, self.weights["dense.weight"], self.weights["dense.bias"])
        if self.activation == "relu":
            active = functional.relu(dense)
        else:
            active = functional.gelu(dense, approximate="tanh" if self.activation == "gelu_tanh" else "none")
        norm = self.weights["norm.weight"], self.weights["norm.bias"]
        normed = functional.layer_norm(active, (active.shape[-1],), *norm, self.norm_epsilon)
        return functional.linear(normed, self.weights.get("decoder.weight", tied), self.weights["bias"])


def word_head_of(state: Mapping[str, "Tensor"], source: str, activation: Activation, norm_epsilon: float) -> WordHead:
    """The head out of a model's stored weights, fp32.

    Args:
        state: weights as transformers stores them.
        source: where they are from, for the refusal.

    Raises:
        ConfigurationError: there is none, or a part of it is missing.
    """
    from torch.nn import Parameter

    missing = "its weights hold no cls.predictions and no lm_head"
    for prefix, names in _NAMES.items():
        found = {own: _stored(state, prefix + name) for own, name in names.items()}
        if all(value is None for value in found.values()):
            continue
        lacking = [own for own, value in found.items() if value is None]
        if not lacking:
            whole = {own: value for own, value in found.items() if value is not None}
            decoder = state.get(f"{prefix}decoder.weight")
            whole |= {} if decoder is None else {"decoder.weight": decoder}
            weights = {own: Parameter(value.float().clone()) for own, value in whole.items()}
            return WordHead(weights, activation, norm_epsilon)
        missing = f"{prefix}* lacks {', '.join(lacking)}"
    raise no_word_head(source, f"{missing}, and the table of embeddings alone is not enough")


def no_word_head(source: str, why: str) -> ConfigurationError:
    """A backbone cannot be adapted by guessing words."""
    return ConfigurationError(
        f"{source} cannot guess masked words.",
        f"It carries no head that was trained for that: {why}.",
        'Adapt it by contrast, learn.adapt.pretext = "contrast", or name a backbone that was saved with its head.',
    )


def _stored(state: Mapping[str, "Tensor"], name: str) -> "Tensor | None":
    old = next((name.replace(new, before) for new, before in _OLD.items() if name.endswith(new)), name)
    return state.get(name, state.get(old))
