"""The server is light: what it imports, and what releases share in memory."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from freshtune.errors import IntegrityError
from freshtune.model.heads.classes import Classes
from freshtune.model.predictor import Input
from freshtune.records import LogRange, Release, Verdict
from freshtune.serve.opening import SharedTrunks
from freshtune.ship.release_rows import ReleaseDraft
from tests.serve.tiny_service import TinyShop

HEAD = Classes(("negative", "positive"))


def test_serving_imports_no_trainer() -> None:
    heavy = ("torch", "transformers", "onnx", "sklearn", "scipy", "pandas", "httpx")
    code = f"import sys, freshtune.serve.app; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def _graph(path: Path, seed: int, trunk: bool) -> Path:
    """A trunk from ids to hidden states, or a top from hidden states to logits."""
    random = np.random.default_rng(seed)
    if trunk:
        nodes = [helper.make_node("Gather", ["weight", "input_ids"], ["hidden"])]
        weight = random.normal(size=(64, 8))
        ends = ("input_ids", TensorProto.INT32, 2), ("hidden", TensorProto.FLOAT, 3)
    else:
        nodes = [
            helper.make_node("ReduceMean", ["hidden"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
        ]
        weight = random.normal(size=(8, HEAD.outputs))
        ends = ("hidden", TensorProto.FLOAT, 3), ("logits", TensorProto.FLOAT, 2)
    values = [helper.make_tensor_value_info(name, kind, list("bth"[:rank])) for name, kind, rank in ends]
    constant = numpy_helper.from_array(weight.astype(np.float32), "weight")
    graph = helper.make_graph(nodes, "part", values[:1], values[1:], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def _record(shop: TinyShop, folder: Path, trunk: int, top: int) -> Release:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "好": 1, "坏": 2, "good": 3}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), "utf-8")
    (folder / "model.json").write_bytes(orjson.dumps({"head": asdict(HEAD), "prefix": "", "max_tokens": 16}))
    files = {name: folder / name for name in ("tokenizer.json", "model.json")}
    files["trunk.onnx"] = _graph(folder / f"trunk{trunk}.onnx", trunk, True)
    files["top.onnx"] = _graph(folder / f"top{top}.onnx", 100 + top, False)
    draft = ReleaseDraft("sentiment", None, str(trunk), "v", LogRange(top, top + 1), "r", {}, Verdict(True, ()))
    return shop.registry.record(draft, files)


def test_releases_on_one_trunk_share_its_session_and_let_it_go(shop: TinyShop, tmp_path: Path) -> None:
    opener = SharedTrunks(shop.registry)
    first, second, other = (_record(shop, tmp_path, trunk, top) for trunk, top in ((1, 1), (1, 2), (2, 1)))
    models_ = [opener(release) for release in (first, second, other)]
    assert models_[0]._trunk is models_[1]._trunk
    assert models_[0]._trunk is not models_[2]._trunk
    assert len(opener._trunks) == 2
    logits = [model.logits([Input("好 good"), Input("坏")]) for model in models_]
    assert all(each.shape == (2, 2) for each in logits)
    assert not np.allclose(logits[0], logits[1])
    models_.clear()
    assert len(opener._trunks) == 0


def test_a_head_that_is_no_head_is_an_integrity_error(shop: TinyShop, tmp_path: Path) -> None:
    good = _record(shop, tmp_path, 1, 1)
    described = orjson.dumps({"head": {"kind": "oracle"}, "prefix": "", "max_tokens": 16})
    (tmp_path / "model.json").write_bytes(described)
    files = {name: shop.registry.load_file(good, name) for name in ("tokenizer.json", "trunk.onnx", "top.onnx")}
    draft = ReleaseDraft("sentiment", None, "1", "v", LogRange(9, 10), "r", {}, Verdict(True, ()))
    bad = shop.registry.record(draft, files | {"model.json": tmp_path / "model.json"})
    with pytest.raises(IntegrityError):
        SharedTrunks(shop.registry)(bad)
