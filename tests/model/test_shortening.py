"""Fewer layers: those that stay are the same, and what cannot be is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freshtune.errors import ConfigurationError
from freshtune.model.backbone import open_backbone
from freshtune.model.blocks import TextModel
from freshtune.model.shortening import Keep, kept_layers, shortened
from tests.model.tiny_models import FAMILIES, LAYERS, WORDS, saved


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return open_backbone(str(saved(request.param, tmp_path_factory.mktemp("model"))), None, 3, 16, (0.5, 1.0))[0]


@given(st.integers(1, 48), st.data(), st.sampled_from(["even", "lower"]))
def test_kept_layers_are_as_many_as_wanted_and_rise(layers: int, data: st.DataObject, keep: Keep) -> None:
    wanted = data.draw(st.integers(1, layers))
    kept = kept_layers(layers, wanted, keep)
    assert len(set(kept)) == len(kept) == wanted
    assert list(kept) == sorted(kept)
    assert kept[0] == 0
    assert kept[-1] == (layers - 1 if keep == "even" and wanted > 1 else wanted - 1)


@pytest.mark.parametrize("wanted", [0, -1, 13])
def test_what_cannot_stay_is_refused(wanted: int) -> None:
    with pytest.raises(ConfigurationError, match="12"):
        kept_layers(12, wanted, "even")


def test_all_layers_are_the_model_itself(model: TextModel) -> None:
    ids = torch.randint(5, WORDS, (4, 7))
    whole = shortened(model, range(LAYERS), (0.5, 1.0))
    assert torch.equal(whole.lower(ids, None, LAYERS), model.lower(ids, None, LAYERS))
    assert not whole.training


def test_lower_layers_see_what_the_model_saw_there(model: TextModel) -> None:
    ids = torch.randint(5, WORDS, (4, 7))
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    short = shortened(model, (0, 1), (1.0,))
    assert torch.equal(short.lower(ids, None, 1), model.lower(ids, None, 1))
    assert short.architecture.read == (2,)
    with torch.no_grad():
        short.blocks["0"].qkv.weight.add_(1.0)  # type: ignore[union-attr, operator]
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items()), "they are copies"


def test_a_layer_may_be_left_out_between_two(model: TextModel) -> None:
    short = shortened(model, (0, 2), (0.5, 1.0))
    assert short.layers == 2
    for name, weight in short.blocks["1"].state_dict().items():
        assert torch.equal(weight, model.blocks["2"].state_dict()[name])
