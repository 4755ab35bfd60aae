"""What the families of text models have in common, and how each one's stored weights are named.

BERT, ERNIE, RoBERTa, XLM-R and GPT-2 are one layer with a few facts apart (:class:`Architecture`). Their weights are
renamed to that layer's names when a model is opened. Two things are folded then, so that the forward pass need not know
them: the segment (and ERNIE's task) row 0 is added to the positions, since every input is one segment here, and
the positions that RoBERTa keeps for padding are cut off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from freshtune.errors import ConfigurationError
from freshtune.nearest import did_you_mean
from freshtune.records import Json

if TYPE_CHECKING:
    from torch import Tensor

Pooling = Literal["mean", "last"]
Activation = Literal["gelu", "gelu_tanh", "relu"]

_ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
_ENCODERS = ("bert", "ernie", "roberta", "xlm-roberta")
FAMILIES = (*_ENCODERS, "gpt2")


@dataclass(frozen=True)
class Architecture:
    """The shape of a model; stored with a release, and enough to rebuild any of its layers.

    Attributes:
        family: ``model_type`` of the transformers configuration that it comes from.
        vocabulary, positions: rows of the two embedding tables.
        width, inner: of the hidden state, and of the feed-forward part.
        norm_epsilon: added to the variance by the layer norms.
        causal: a token sees only what stands before it, and the norm comes before each part, not after it (GPT-2).
        pooling: ``mean`` over the tokens, or the ``last`` token.
        taps: layers, counted from 1, whose pooled outputs the head reads side by side; empty reads the last one alone.
        units: of the head's inner layer; 0 has none.
        words: rows of the head's table of words, see :mod:`freshtune.model.words`; 0 reads none.
    """

    family: str
    vocabulary: int
    positions: int
    layers: int
    width: int
    heads: int
    inner: int
    norm_epsilon: float
    activation: Activation = "gelu"
    causal: bool = False
    pooling: Pooling = "mean"
    taps: tuple[int, ...] = ()
    units: int = 0
    words: int = 0

    @property
    def read(self) -> tuple[int, ...]:
        """The layers that the head reads, from below."""
        return self.taps or (self.layers,)

    def as_json(self) -> dict[str, Json]:
        """The fields as they are stored."""
        return asdict(self)

    @staticmethod
    def of_json(stored: Mapping[str, Json]) -> "Architecture":
        """Read what :meth:`as_json` gave; ConfigurationError where it is something else."""
        try:
            fields = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
            return Architecture(**fields)  # type: ignore[arg-type]
        except TypeError as error:
            raise ConfigurationError("The stored architecture of a model cannot be read.", str(error)) from None


def tapped_layers(shares: Sequence[float], layers: int) -> tuple[int, ...]:
    """Layers that lie at these shares of a model's depth, from below, each once.

    >>> tapped_layers((0.5, 0.67, 0.83, 1.0), 12), tapped_layers((0.5, 0.67, 0.83, 1.0), 2)
    ((6, 8, 10, 12), (1, 2))
    """
    return tuple(sorted({max(1, round(share * layers)) for share in shares}))


def require_positions(architecture: Architecture, max_tokens: int) -> None:
    """ConfigurationError where a model reads fewer tokens than that."""
    if max_tokens > architecture.positions:
        raise ConfigurationError(
            f"model.max_tokens = {max_tokens} is more than the backbone reads.",
            f"It has {architecture.positions} positions.",
            f"Set {architecture.positions} at most.",
        )


def architecture_of(config: Mapping[str, Json]) -> Architecture:
    """Read a transformers ``config.json``.

    GPT-2 is pooled by the mean as well: it needs no end token, and every token carries gradient.

    Raises:
        ConfigurationError: the family, or an option of it, is not supported.
    """
    family = str(config.get("model_type"))
    if family in _ENCODERS:
        return _encoder(family, config)
    if family == "gpt2":
        return _gpt2(config)
    raise ConfigurationError(
        f"The model family {family!r} is not supported.",
        did_you_mean(family, FAMILIES),
        f"Choose a model of one of: {', '.join(FAMILIES)}.",
    )


def _encoder(family: str, config: Mapping[str, Json]) -> Architecture:
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise ConfigurationError(f"This {family} model is a decoder or has relative positions, which is not supported.")
    return Architecture(
        family=family,
        vocabulary=_whole(config, "vocab_size"),
        positions=_whole(config, "max_position_embeddings") - _padding_positions(family, config),
        layers=_whole(config, "num_hidden_layers"),
        width=_whole(config, "hidden_size"),
        heads=_whole(config, "num_attention_heads"),
        inner=_whole(config, "intermediate_size"),
        norm_epsilon=float(str(config.get("layer_norm_eps", 1e-12))),
        activation=_activation(config.get("hidden_act", "gelu")),
    )


def _gpt2(config: Mapping[str, Json]) -> Architecture:
    if config.get("scale_attn_by_inverse_layer_idx") or not config.get("scale_attn_weights", True):
        raise ConfigurationError("This GPT-2 model scales its attention in a way that is not supported.")
    width = _whole(config, "n_embd")
    return Architecture(
        family="gpt2",
        vocabulary=_whole(config, "vocab_size"),
        positions=_whole(config, "n_positions"),
        layers=_whole(config, "n_layer"),
        width=width,
        heads=_whole(config, "n_head"),
        inner=_whole(config, "n_inner") if config.get("n_inner") else 4 * width,
        norm_epsilon=float(str(config.get("layer_norm_epsilon", 1e-5))),
        activation=_activation(config.get("activation_function", "gelu_new")),
        causal=True,
    )


def _whole(config: Mapping[str, Json], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"The model's config.json has no usable {key}.", f"It says {value!r}.")
    return value


def _activation(name: Json) -> Activation:
    if str(name) not in _ACTIVATIONS:
        raise ConfigurationError(f"The activation {name!r} is not supported.", "", f"Known: {', '.join(_ACTIVATIONS)}.")
    return _ACTIVATIONS[str(name)]


def _padding_positions(family: str, config: Mapping[str, Json]) -> int:
    """RoBERTa counts positions from the padding id + 1."""
    return int(str(config.get("pad_token_id", 1))) + 1 if family.endswith("roberta") else 0


def renamed(state: Mapping[str, "Tensor"], config: Mapping[str, Json]) -> dict[str, "Tensor"]:
    """Weights by the names of :class:`freshtune.model.blocks.TextModel`, fp32, without a head.

    Args:
        state: weights as transformers stores them, with or without the prefix of a task model; others are passed over.
        config: the model's ``config.json``.

    Raises:
        ConfigurationError: a weight is missing.
    """
    architecture = architecture_of(config)
    anchor = "wte.weight" if architecture.family == "gpt2" else "embeddings.word_embeddings.weight"
    prefix = next((name.removesuffix(anchor) for name in state if name.endswith(anchor)), "")
    bare = {
        _modern(name.removeprefix(prefix)): value.float() for name, value in state.items() if name.startswith(prefix)
    }
    try:
        if architecture.family == "gpt2":
            return _gpt2_weights(bare, architecture.layers)
        return _encoder_weights(bare, architecture, _padding_positions(architecture.family, config))
    except KeyError as error:
        raise ConfigurationError("The model's weights are not complete.", f"{error} is missing.") from None


def _modern(name: str) -> str:
    """The first BERT checkpoints call a norm's weight and bias gamma and beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _encoder_weights(bare: Mapping[str, "Tensor"], architecture: Architecture, skipped: int) -> dict[str, "Tensor"]:
    import torch

    positions = bare["embeddings.position_embeddings.weight"][skipped:]
    for table in ("token_type_embeddings", "task_type_embeddings"):
        if f"embeddings.{table}.weight" in bare:
            positions = positions + bare[f"embeddings.{table}.weight"][0]
    weights = {"tokens.weight": bare["embeddings.word_embeddings.weight"], "positions.weight": positions}
    parts = {
        "attention_out": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "inner_in": "intermediate.dense",
        "inner_out": "output.dense",
        "inner_norm": "output.LayerNorm",
    }
    for kind in ("weight", "bias"):
        weights[f"embedding_norm.{kind}"] = bare[f"embeddings.LayerNorm.{kind}"]
        for i in range(architecture.layers):
            old, new = f"encoder.layer.{i}", f"blocks.{i}"
            queries_keys_values = [bare[f"{old}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            weights[f"{new}.qkv.{kind}"] = torch.cat(queries_keys_values)
            for part, name in parts.items():
                weights[f"{new}.{part}.{kind}"] = bare[f"{old}.{name}.{kind}"]
    return weights


def _gpt2_weights(bare: Mapping[str, "Tensor"], layers: int) -> dict[str, "Tensor"]:
    weights = {"tokens.weight": bare["wte.weight"], "positions.weight": bare["wpe.weight"]}
    linear = {"qkv": "attn.c_attn", "attention_out": "attn.c_proj", "inner_in": "mlp.c_fc", "inner_out": "mlp.c_proj"}
    norms = {"attention_norm": "ln_1", "inner_norm": "ln_2"}
    for kind in ("weight", "bias"):
        weights[f"final_norm.{kind}"] = bare[f"ln_f.{kind}"]
        for i in range(layers):
            for part, name in linear.items():  # GPT-2 stores its matrices as [in, out]
                value = bare[f"h.{i}.{name}.{kind}"]
                weights[f"blocks.{i}.{part}.{kind}"] = value.T.contiguous() if kind == "weight" else value
            for part, name in norms.items():
                weights[f"blocks.{i}.{part}.{kind}"] = bare[f"h.{i}.{name}.{kind}"]
    return weights
