"""Open a text model by its name: bundled with a package, a folder, or a hub id.

The only file that knows ``transformers``, which is imported only for a folder without safetensors or without a
``tokenizer.json``. Importing this module imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from freshtune.errors import IntegrityError, NotFound
from freshtune.model.adapters.unmerged import hang_stored
from freshtune.model.backbone_files import backbone_folder, config_of
from freshtune.model.blocks import Layer, TextModel
from freshtune.model.bundled import BUNDLED, default_cache
from freshtune.model.families import Architecture, architecture_of, renamed, require_positions, tapped_layers
from freshtune.model.tokens import Tokens
from freshtune.model.word_head import WordHead, no_word_head, word_head_of
from freshtune.records import Json

__all__ = ["Layer", "TextModel", "backbone_folder", "open_backbone", "open_top", "open_word_head"]


def open_backbone(
    name: str, cache_folder: Path | None, outputs: int, max_tokens: int, taps: Sequence[float] = ()
) -> tuple[TextModel, Tokens]:
    """Open a pretrained model with a fresh linear head, fp32, in evaluation mode.

    The head's values come from torch's global generator.

    Args:
        name: ``bundled:NAME``, a folder, or a hub id.
        cache_folder: where a bundled model is converted to; None means :func:`freshtune.model.bundled.default_cache`.
        outputs: number of logits.
        max_tokens: longest input; at most the model's positions.
        taps: how deep the head reads, as shares of all layers; empty reads the last one alone.

    Raises:
        NotFound: nothing of that name here, and no network to fetch it; says what to install or where to put it.
        ConfigurationError: the model's family is not supported, or it reads fewer tokens than ``max_tokens``.
        IntegrityError: its files cannot be read.
    """
    folder = backbone_folder(name, cache_folder or default_cache())
    config = config_of(folder)
    architecture = architecture_of(config)
    architecture = replace(architecture, taps=tapped_layers(taps, architecture.layers))
    require_positions(architecture, max_tokens)
    model = TextModel(architecture, outputs)
    weights = renamed(_stored_weights(folder), config)
    try:
        model.load_state_dict({**model.top_state(architecture.layers), **weights})
    except RuntimeError as error:
        raise IntegrityError(f"The weights in {folder} do not fit their config.json.", str(error)) from None
    prefix = BUNDLED[name.removeprefix("bundled:")].prefix if name.startswith("bundled:") else ""
    return model.eval(), _tokens(folder, prefix, max_tokens)


def open_top(config: Mapping[str, Json], cut: int, outputs: int, state: Mapping[str, Tensor]) -> TextModel:
    """Rebuild the layers above ``cut`` alone, without reading the trunk; torch's random numbers are left as they were.

    Args:
        config: :meth:`Architecture.as_json` of the whole model.
        cut: number of layers below.
        state: every weight of :meth:`TextModel.top_state`; parts that their names speak of are hung on.

    Raises:
        IntegrityError: a weight is missing, unknown, or of another shape.
    """
    import torch

    # What is drawn here is overwritten; building on torch's meta device instead imports its compiler, for a second.
    with torch.random.fork_rng(devices=[]):
        model = TextModel(Architecture.of_json(config), outputs, cut=cut)
        try:
            hang_stored(model, state)
            model.load_state_dict(dict(state))
        except (AttributeError, RuntimeError) as error:
            raise IntegrityError("The stored weights of a release do not fit its model.", str(error)) from None
    return model.eval()


def _stored_weights(folder: Path) -> Mapping[str, Tensor]:
    path = folder / "model.safetensors"
    if path.is_file():
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise IntegrityError(f"{path} cannot be read.", str(error)) from None
    from transformers import AutoModel

    try:
        state: Mapping[str, Tensor] = AutoModel.from_pretrained(folder, local_files_only=True).state_dict()
    except (OSError, ValueError) as error:
        raise NotFound(f"{folder} holds no weights that can be read.", str(error), "Add model.safetensors.") from None
    return state


def _tokens(folder: Path, prefix: str, max_tokens: int) -> Tokens:
    path = folder / "tokenizer.json"
    if path.is_file():
        return Tokens.open(path, prefix, max_tokens)
    from transformers import AutoTokenizer

    try:
        fast = AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)
        return Tokens.of(fast.backend_tokenizer, prefix, max_tokens)
    except (OSError, ValueError, AttributeError) as error:
        raise NotFound(f"{folder} holds no fast tokenizer.", str(error), "Add tokenizer.json.") from None


def open_word_head(name: str, cache_folder: Path | None = None) -> WordHead:
    """What a backbone's weights carry to guess masked words with; see :func:`freshtune.model.word_head.word_head_of`.

    Args:
        name: as for :func:`open_backbone`.
        cache_folder: as for :func:`open_backbone`.

    Raises:
        ConfigurationError: it carries none, or only a part.
    """
    folder = backbone_folder(name, cache_folder or default_cache())
    architecture = architecture_of(config_of(folder))
    if architecture.causal:
        raise no_word_head(name, "it reads from left to right")
    state = _stored_weights(folder) if (folder / "model.safetensors").is_file() else _whole_weights(folder)
    return word_head_of(state, name, architecture.activation, architecture.norm_epsilon)


def _whole_weights(folder: Path) -> Mapping[str, Tensor]:
    """Of a folder without safetensors, with what stands above the encoder; nothing that the library made up."""
    from transformers import AutoModelForMaskedLM

    try:
        model, told = AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except (OSError, ValueError) as error:
        raise NotFound(f"{folder} holds no weights that can be read.", str(error), "Add model.safetensors.") from None
    state: Mapping[str, Tensor] = model.state_dict()
    return {name: value for name, value in state.items() if name not in told["missing_keys"]}
