"""A release's files answer as torch does, each text for itself, without torch."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from freshtune.errors import IntegrityError
from freshtune.model.backbone import open_backbone
from freshtune.model.heads.classes import Classes
from freshtune.model.onnx_model import OnnxTrunk, open_onnx_model
from freshtune.model.predictor import Input
from freshtune.ship.compression import COMPRESSIONS
from freshtune.ship.export import export_top, export_trunk
from tests.model.tiny_models import saved

INPUTS = [Input("w5 w6 w7"), Input("w8"), Input(""), Input("w5 " * 60), Input("w10 w11", "w12 你好"), Input("w5 w6 w7")]
HEAD = Classes(("差", "good"))


@pytest.fixture(scope="module", params=COMPRESSIONS)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("release")
    model, tokens = open_backbone(str(saved("bert", folder)), None, HEAD.outputs, 32)
    for name, export in (("trunk", export_trunk), ("top", export_top)):
        export(model, 2, folder / "plain.onnx")
        COMPRESSIONS[request.param]().apply(folder / "plain.onnx", folder / f"{name}.onnx")
    tokens.write(folder / "tokenizer.json")
    described = {"head": asdict(HEAD), "prefix": tokens.prefix, "max_tokens": tokens.max_tokens}
    (folder / "model.json").write_text(json.dumps(described, ensure_ascii=False), "utf-8")
    with torch.no_grad():
        expected = torch.cat([model(torch.from_numpy(ids)[None]) for ids in tokens.encode(INPUTS)]).numpy()
    np.save(folder / "expected.npy", expected)
    (folder / "tolerance").write_text("1e-5" if request.param == "none" else "0.01", "utf-8")
    return folder


def test_it_answers_as_torch_does(release: Path) -> None:
    model = open_onnx_model(release, None, 1)
    assert model.head == HEAD
    difference = np.abs(model.logits(INPUTS) - np.load(release / "expected.npy")).max()
    assert difference <= float((release / "tolerance").read_text("utf-8"))


@pytest.mark.parametrize("threads", [1, 2])
def test_an_answer_does_not_depend_on_what_else_is_asked(release: Path, threads: int) -> None:
    model = open_onnx_model(release, release / "trunk.onnx", threads)
    together = model.logits(INPUTS)
    alone = np.concatenate([model.logits([one]) for one in INPUTS])
    assert np.array_equal(together, alone)
    assert np.array_equal(together[::-1], model.logits(INPUTS[::-1]))
    assert np.array_equal(together[0], together[-1])
    assert model.logits([]).shape == (0, 2)


def test_the_digest_is_that_of_the_file(release: Path) -> None:
    import hashlib

    assert (
        OnnxTrunk(release / "trunk.onnx", 1).digest == hashlib.sha256((release / "trunk.onnx").read_bytes()).hexdigest()
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("top.onnx", b""),
        ("top.onnx", b"\x08\x07broken"),
        ("top.onnx", None),
        ("model.json", b"{"),
        ("model.json", b"[]"),
        ("model.json", b'{"head": {"kind": "nothing"}, "prefix": "", "max_tokens": 8}'),
        ("model.json", b'{"head": {"kind": "classes", "labels": ["a"], "extra": 1}, "prefix": "", "max_tokens": 8}'),
        ("model.json", b'{"head": 3, "prefix": "", "max_tokens": "many"}'),
        ("model.json", None),
    ],
)
def test_a_broken_file_is_named(release: Path, tmp_path: Path, name: str, content: bytes | None) -> None:
    for file in ("trunk.onnx", "top.onnx", "tokenizer.json", "model.json"):
        (tmp_path / file).write_bytes((release / file).read_bytes())
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(IntegrityError):
        open_onnx_model(tmp_path, None, 1)


def test_serving_imports_no_torch(release: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from freshtune.model.onnx_model import open_onnx_model; "
        "from freshtune.model.trunk_cache import TrunkCache; from freshtune.model.predictor import Input; "
        f"open_onnx_model(Path({str(release)!r}), None, 1).logits([Input('w5')]); "
        "print({'torch', 'transformers', 'onnx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
