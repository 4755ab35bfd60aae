"""The shop's own texts, for a pretrained model to read first; nothing that is held out is among them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from freshtune.cycle.gathering import Gathered
from freshtune.cycle.interrupted import ADAPTING, stage_of
from freshtune.cycle.lessons import inputs_of
from freshtune.errors import ConfigurationError
from freshtune.learn.adaptation import Adapt, Pretext, adapt
from freshtune.learn.contrast import Contrast
from freshtune.learn.fit import Step
from freshtune.learn.masked_words import MaskedWords
from freshtune.learn.state import Run
from freshtune.model.predictor import Input
from freshtune.model.tokens import Tokens
from freshtune.records import Example
from freshtune.settings import Settings

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel

_MASKS = ("[MASK]", "<mask>")


def adapted(
    model: "TextModel",
    tokens: Tokens,
    gathered: Gathered,
    settings: Settings,
    run: Run,
    on_step: Callable[[Step], None],
) -> None:
    """Adapt a pretrained model to the texts of the training side, with a label or without.

    Raises:
        ConfigurationError: it is to guess masked words and cannot.
    """
    how = settings.learn.adapt
    inputs = tokens.encode(inputs_of(texts_of(gathered, how.texts)))
    pretext = pretext_of(how, settings.model.backbone, tokens)
    adapt(model, pretext, inputs, how, stage_of(run, ADAPTING, inputs), on_step)


def texts_of(gathered: Gathered, most: int) -> list[Example]:
    """The texts of the training side: those without a label first, then the labelled ones; the last ``most``."""
    return [*gathered.delta.unlabelled, *gathered.delta.labelled][-most:]


def pretext_of(how: Adapt, backbone: str, tokens: Tokens) -> Pretext:
    """What a model is asked: to guess words where it can, else to know texts again.

    Raises:
        ConfigurationError: it is to guess masked words and cannot.
    """
    if how.pretext != "contrast":
        try:
            return _masked_words(how, backbone, tokens)
        except ConfigurationError:
            if how.pretext == "masked_words":
                raise
    return Contrast(how.temperature)


def _masked_words(how: Adapt, backbone: str, tokens: Tokens) -> MaskedWords:
    from freshtune.model.backbone import open_word_head
    from freshtune.model.word_head import no_word_head

    head = open_word_head(backbone)
    mask = next((id_ for name in _MASKS if (id_ := tokens.tokenizer.token_to_id(name)) is not None), None)
    if mask is None:
        raise no_word_head(backbone, f"its tokenizer knows none of {', '.join(_MASKS)}")
    added = tokens.tokenizer.get_added_tokens_decoder()
    special = {id_ for id_, token in added.items() if token.special} | set(tokens.encode([Input("")])[0].tolist())
    return MaskedWords(head, mask, tuple(sorted(special)), how.masked)
