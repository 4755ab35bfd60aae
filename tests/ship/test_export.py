"""The exported halves say what torch says; a refilled template is a fresh export."""

from pathlib import Path

import numpy as np
import pytest
import torch

from freshtune.errors import IntegrityError
from freshtune.model.backbone import TextModel, open_backbone
from freshtune.model.onnx_model import Graph
from freshtune.ship.export import TopTemplate, export_top, export_trunk
from tests.model.tiny_models import FAMILIES, LAYERS, saved

TEXTS = [np.random.default_rng(i).integers(5, 200, (1, length), np.int32) for i, length in enumerate((1, 2, 7, 30))]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    torch.manual_seed(0)
    return open_backbone(str(saved(request.param, tmp_path_factory.mktemp("model"))), None, 4, 40)[0]


@pytest.mark.parametrize("cut", [0, 1, LAYERS])
def test_trunk_and_top_equal_torch(model: TextModel, tmp_path: Path, cut: int) -> None:
    export_trunk(model, cut, tmp_path / "trunk.onnx")
    export_top(model, cut, tmp_path / "top.onnx")
    logits = Graph(tmp_path / "top.onnx", 1).each(Graph(tmp_path / "trunk.onnx", 1).each(TEXTS))
    with torch.no_grad():
        for text, answer in zip(TEXTS, logits, strict=True):
            assert np.abs(model(torch.from_numpy(text)).numpy() - answer).max() <= 1e-5


def test_a_refilled_template_is_a_fresh_export(model: TextModel, tmp_path: Path) -> None:
    export_top(model, 1, tmp_path / "template.onnx")
    state = model.top_state(1)
    generator = torch.Generator().manual_seed(5)
    other = {name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in state.items()}
    weights = {name: value.numpy() for name, value in other.items()}
    TopTemplate(tmp_path / "template.onnx").write_top(weights, tmp_path / "filled.onnx")
    kept = {name: value.clone() for name, value in state.items()}
    model.load_top(other)
    export_top(model, 1, tmp_path / "fresh.onnx")
    model.load_top(kept)
    assert (tmp_path / "filled.onnx").read_bytes() == (tmp_path / "fresh.onnx").read_bytes()
    assert (tmp_path / "filled.onnx").read_bytes() != (tmp_path / "template.onnx").read_bytes()


def test_a_template_is_filled_whole_or_not_at_all(model: TextModel, tmp_path: Path) -> None:
    export_top(model, 2, tmp_path / "template.onnx")
    template = TopTemplate(tmp_path / "template.onnx")
    weights = {name: value.numpy() for name, value in model.top_state(2).items()}
    with pytest.raises(IntegrityError, match=r"head\.bias of template\.onnx is missing"):
        template.write_top({name: value for name, value in weights.items() if name != "head.bias"}, tmp_path / "x.onnx")
    with pytest.raises(IntegrityError, match="shape"):
        template.write_top({**weights, "head.bias": np.zeros(9, np.float32)}, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()
