"""Whether a recipe fits the backbone it is for: read from json, before anything that computes is imported."""

from freshtune.cycle.champion import cut_of
from freshtune.errors import ConfigurationError
from freshtune.model.adapters import Bounded
from freshtune.model.adapters.above_cut import require_above
from freshtune.model.backbone_files import backbone_folder, shape_at_hand, shape_of
from freshtune.model.bundled import default_cache
from freshtune.model.families import Architecture, require_positions
from freshtune.settings import LearnSettings, Settings
from freshtune.ship.bundle import ModelFacts


def require_recipe(settings: Settings) -> bool:
    """Hold the settings against their backbone, where its shape is at hand; nothing is fetched or converted.

    Returns:
        Whether it was at hand.

    Raises:
        ConfigurationError: the backbone lacks what the recipe asks for; names the nearest that it has.
    """
    backbone = shape_at_hand(settings.model.backbone)
    if backbone is not None:
        _require_shape(settings, backbone)
    return backbone is not None


def require_recipe_of_fetched(settings: Settings) -> None:
    """The same, the backbone fetched or converted where it has to be."""
    if not require_recipe(settings):
        _require_shape(settings, shape_of(backbone_folder(settings.model.backbone, default_cache())))


def require_update(learn: LearnSettings, facts: ModelFacts) -> None:
    """Hold what an update would train against the champion that it starts from.

    Raises:
        ConfigurationError: the champion's backbone lacks it, or it lies in the champion's trunk.
    """
    if isinstance(learn.adapter, Bounded):
        learn.adapter.require(Architecture.of_json(facts.architecture))
    require_above(learn.adapter, facts.layers, facts.cut)


def _require_shape(settings: Settings, backbone: Architecture) -> None:
    require_positions(backbone, settings.model.max_tokens)
    cut, layers = settings.model.cut, backbone.layers
    if cut is not None and not -layers <= cut <= layers:
        raise ConfigurationError(
            f"model.cut = {cut} lies outside the backbone.",
            f"It has {layers} layers.",
            f"Set a number of layers from 0 to {layers}, or one from the top, from -{layers} to -1.",
        )
    trained = [settings.learn.adapter, *([settings.learn.trunk.adapter] if settings.learn.trunk.share else [])]
    for adapter in trained:
        if isinstance(adapter, Bounded):
            adapter.require(backbone)
    cut_of(settings, layers)
