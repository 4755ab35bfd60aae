"""A real, tiny model in the four files that a release is served from."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WIDTH, LAYERS = 16, 2
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "query",
    ":",
    "good",
    "bad",
    "room",
    "red",
    "dress",
    *"房间很干净服务差红色连衣裙手机好坏",
]


def tiny_release(folder: Path, head: Any, seed: int = 7) -> dict[str, Path]:
    """Write the files; the weights are random by ``seed``."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    words = list(dict.fromkeys(WORDS))
    embeddings = generator.normal(size=(len(words), WIDTH)).astype(np.float32)
    trunk = _graph(
        [helper.make_node("Gather", ["table", "ids"], ["hidden"])],
        ("ids", TensorProto.INT32, ["b", "t"]),
        ("hidden", TensorProto.FLOAT, ["b", "t", WIDTH]),
        {"table": embeddings},
    )
    top = _graph(
        [
            helper.make_node("ReduceMean", ["hidden", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        ],
        ("hidden", TensorProto.FLOAT, ["b", "t", WIDTH]),
        ("logits", TensorProto.FLOAT, ["b", head.outputs]),
        {"weights": generator.normal(size=(WIDTH, head.outputs)).astype(np.float32), "axes": np.array([1], np.int64)},
    )
    described = {
        "head": asdict(head), "prefix": "query: ", "max_tokens": 12, "pooling": "mean",
        "backbone": "bundled:bert-tiny", "cut": 1, "layers": LAYERS, "width": WIDTH,
    }  # fmt: skip
    (folder / "trunk.onnx").write_bytes(trunk)
    (folder / "top.onnx").write_bytes(top)
    (folder / "model.json").write_bytes(orjson.dumps(described))
    _tokenizer(words).save(str(folder / "tokenizer.json"))
    return {name: folder / name for name in ("trunk.onnx", "top.onnx", "model.json", "tokenizer.json")}


def _graph(nodes: list[Any], source: Any, target: Any, weights: Mapping[str, Any]) -> bytes:
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info(*source)], [helper.make_tensor_value_info(*target)], initializers
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _tokenizer(words: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.UnicodeScripts(), _each_han()]
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def _each_han() -> Any:
    from tokenizers import Regex

    return pre_tokenizers.Split(Regex(r"\p{Han}"), "isolated")
