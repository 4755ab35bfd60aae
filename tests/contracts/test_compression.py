"""The laws of every compression."""

from pathlib import Path

import numpy as np
import pytest
import torch

from freshtune.model.backbone import TextModel, open_backbone
from freshtune.model.onnx_model import Graph
from freshtune.ship.compression import COMPRESSIONS
from freshtune.ship.export import export_top, export_trunk
from tests.model.tiny_models import WIDTH, saved

LARGEST_SHARE = {"none": 1.0, "int8": 0.45}
TOLERANCE = {"none": 1e-5, "int8": 0.03}
"""Root mean square distance of hidden states, over their spread; random weights have no outliers to blur."""


@pytest.fixture(scope="module", params=["bert", "gpt2"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    torch.manual_seed(0)
    return open_backbone(str(saved(request.param, tmp_path_factory.mktemp("model"))), None, 2, 40)[0]


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_smaller_within_its_tolerance_and_deterministic(name: str, model: TextModel, tmp_path: Path) -> None:
    export_trunk(model, 2, tmp_path / "plain.onnx")
    COMPRESSIONS[name]().apply(tmp_path / "plain.onnx", tmp_path / "small.onnx")
    COMPRESSIONS[name]().apply(tmp_path / "plain.onnx", tmp_path / "again.onnx")
    plain, small = (tmp_path / "plain.onnx").read_bytes(), (tmp_path / "small.onnx").read_bytes()
    assert len(small) <= LARGEST_SHARE[name] * len(plain)
    assert small == (tmp_path / "again.onnx").read_bytes()
    texts = [np.random.default_rng(i).integers(5, 200, (1, 3 + i), np.int32) for i in range(8)]
    before = np.concatenate(Graph(tmp_path / "plain.onnx", 1).each(texts), axis=1)
    after = np.concatenate(Graph(tmp_path / "small.onnx", 1).each(texts), axis=1)
    assert np.sqrt(np.square(after - before).mean()) <= TOLERANCE[name] * before.std()


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_row_of_nothing_stays_finite(name: str, model: TextModel, tmp_path: Path) -> None:
    export_top(model, 2, tmp_path / "plain.onnx")
    COMPRESSIONS[name]().apply(tmp_path / "plain.onnx", tmp_path / "small.onnx")
    logits = Graph(tmp_path / "small.onnx", 1).each([np.zeros((1, 4, WIDTH), np.float32)])
    assert np.isfinite(logits[0]).all()


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_texts_of_one_length_in_one_run_change_nothing(name: str, model: TextModel, tmp_path: Path) -> None:
    export_trunk(model, 3, tmp_path / "plain.onnx")
    COMPRESSIONS[name]().apply(tmp_path / "plain.onnx", tmp_path / "small.onnx")
    graph = Graph(tmp_path / "small.onnx", 1)
    texts = np.random.default_rng(0).integers(5, 200, (7, 9), np.int32)
    together = graph.each([texts])[0]
    alone = np.concatenate(graph.each([text[None] for text in texts]))
    assert np.abs(together - alone).max() <= 1e-5
