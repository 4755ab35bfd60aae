"""A head that reads several layers: at every cut the same answer, in torch and as two graphs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from freshtune.cycle.champion import cut_of
from freshtune.errors import ConfigurationError
from freshtune.model.backbone import open_backbone, open_top
from freshtune.model.blocks import Readout, TextModel
from freshtune.model.onnx_model import Graph
from freshtune.settings import Settings, settings_of
from freshtune.ship.export import TopTemplate, export_top, export_trunk
from tests.model.tiny_models import FAMILIES, WORDS, saved

LENGTHS = (7, 3, 5)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    """Random weights, a head that reads the upper half, and what it reads standardised."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = saved(request.param, tmp_path_factory.mktemp("model"))
    made = open_backbone(str(folder), None, 3, 16, (0.5, 1.0))[0]
    made.head.standardise(torch.randn(50, made.head.in_features) * 4 + 1)
    return made


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, WORDS, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]).long()
    return ids * mask, mask


def test_the_halves_are_the_whole_at_every_cut_that_a_tap_allows(model: TextModel) -> None:
    ids, mask = batch()
    with torch.no_grad():
        whole = model(ids, mask)
        for cut in (*range(model.architecture.read[0] + 1), model.layers):
            top = open_top(model.architecture.as_json(), cut, 3, model.top_state(cut))
            rows = ones = model.lower(ids, mask, cut)
            if cut == model.layers:
                assert rows.shape == (len(LENGTHS), len(model.architecture.read), model.width)
                ones = torch.ones(rows.shape[:2])
            assert torch.allclose(top.upper(rows, ones if cut == model.layers else mask, cut), whole, atol=1e-5)


def test_what_is_read_does_not_depend_on_padding(model: TextModel) -> None:
    ids, mask = batch()
    with torch.no_grad():
        together = model.lower(ids, mask, model.layers)
        for row, length in enumerate(LENGTHS):
            alone = model.lower(ids[row : row + 1, :length], None, model.layers)
            assert torch.allclose(together[row], alone[0], atol=1e-5)


def test_the_graphs_are_the_model(model: TextModel, tmp_path: Path) -> None:
    cut = model.layers
    export_trunk(model, cut, tmp_path / "trunk.onnx")
    export_top(model, cut, tmp_path / "template.onnx")
    weights = {name: weight.numpy() for name, weight in model.top_state(cut).items()}
    assert set(weights) >= {"head.weight", "head.bias", "head.mean", "head.spread"}
    TopTemplate(tmp_path / "template.onnx").write_top(weights, tmp_path / "top.onnx")
    ids, _ = batch()
    texts = [ids[row : row + 1, :length].numpy().astype(np.int32) for row, length in enumerate(LENGTHS)]
    hidden = Graph(tmp_path / "trunk.onnx", 1).each(texts)
    logits = np.concatenate(Graph(tmp_path / "top.onnx", 1).each(hidden))
    with torch.no_grad():
        whole = torch.cat([model(torch.from_numpy(text), None) for text in texts]).numpy()
    assert np.allclose(logits, whole, atol=1e-4)


def test_a_standardised_head_reads_numbers_of_one_size_and_one_that_never_changes_as_it_is() -> None:
    head = Readout(3, 2)
    vectors = torch.randn(400, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([100.0, 0.01, 0.0])
    head.standardise(vectors + 5)
    read = (vectors + 5 - head.mean) / head.spread
    assert torch.allclose(read.mean(dim=0), torch.zeros(3), atol=1e-3)
    assert torch.allclose(read.std(dim=0, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-3)
    assert torch.isfinite(head(vectors)).all()
    assert {name for name, _ in head.named_parameters()} == {"weight", "bias"}, "mean and spread do not learn"


def test_a_trunk_that_hides_a_layer_from_the_head_is_refused_in_words() -> None:
    def settings(**model: object) -> Settings:
        return settings_of({"tasks": {"sentiment": {}}, "model": model, "learn": {"adapter": {"name": "head_only"}}})

    assert cut_of(settings(), 12) == 12
    assert cut_of(settings(cut=6), 12) == 6
    with pytest.raises(ConfigurationError, match="cannot read layer 6"):
        cut_of(settings(cut=8), 12)
    assert cut_of(settings(cut=-2, taps=[1.0]), 12) == 10
