"""The laws of every adapter."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from freshtune.errors import ConfigurationError
from freshtune.model.adapters import ADAPTERS, Adapter
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.model.backbone import TextModel, open_backbone
from tests.model.tiny_models import LAYERS, saved

LARGEST_SHARE = {"full": 1.0, "top_layers": 0.95, "head_only": 0.01}
SETTINGS: dict[str, Callable[[], Adapter]] = {**ADAPTERS, "top_layers": lambda: TopLayers(k=1)}


@pytest.fixture(scope="module", params=["bert", "gpt2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(request.param, tmp_path_factory.mktemp("model"))


@pytest.fixture
def model(folder: Path) -> TextModel:
    return open_backbone(str(folder), None, 2, 16)[0]


@pytest.mark.parametrize("name", ADAPTERS)
def test_attaching_changes_no_weight_and_freezes_the_trunk(name: str, model: TextModel) -> None:
    before = {key: value.clone() for key, value in model.state_dict().items()}
    adapter = SETTINGS[name]()
    adapter.attach(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    cut = adapter.lowest_trained(model.layers)
    assert 0 <= cut <= model.layers
    if name != "full":
        assert not any(weight.requires_grad for weight in model.trunk_parameters(cut))
    trained = [key for key, weight in model.named_parameters() if weight.requires_grad]
    assert set(trained) <= (set(model.top_state(cut)) if name != "full" else set(before))


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_trained_share_is_within_its_bound_and_only_that_is_changed(name: str, model: TextModel) -> None:
    before = {key: value.clone() for key, value in model.state_dict().items()}
    SETTINGS[name]().attach(model)
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert trained / sum(weight.numel() for weight in model.parameters()) <= LARGEST_SHARE[name]
    optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], 0.01)
    model.train()
    model(torch.tensor([[5, 6, 7]])).square().sum().backward()
    optimiser.step()
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert "head.weight" in changed
    assert changed <= {key for key, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_frozen_trunk_drops_nothing_in_training(name: str, model: TextModel) -> None:
    adapter = SETTINGS[name]()
    adapter.attach(model)
    cut = adapter.lowest_trained(model.layers)
    ids = torch.tensor([[5, 6, 7]])
    still = model.eval().lower(ids, None, cut)
    moving = model.train().lower(ids, None, cut)
    assert torch.equal(still, moving) == (name != "full")
    assert not torch.equal(model(ids), model(ids)), "the top drops in training"


@pytest.mark.parametrize("name", ADAPTERS)
def test_its_name_is_its_key(name: str) -> None:
    assert {field.name: field.default for field in fields(ADAPTERS[name])}["name"] == name  # type: ignore[arg-type]


def test_top_layers_reaches_down_to_the_embeddings_and_no_further() -> None:
    assert [TopLayers(k=k).lowest_trained(LAYERS) for k in (1, LAYERS, LAYERS + 5)] == [LAYERS - 1, 0, 0]
    with pytest.raises(ConfigurationError, match="k = 0"):
        TopLayers(k=0)
