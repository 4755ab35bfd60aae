"""Backbones by name: what is there opens, what is not is refused with the way out."""

import socket
from pathlib import Path

import pytest
import torch

from freshtune.errors import ConfigurationError, IntegrityError, NotFound
from freshtune.model.backbone import open_backbone, open_top
from freshtune.model.families import Architecture
from tests.model.tiny_models import POSITIONS, library_model, rewritten_config, saved


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return saved("bert", tmp_path)


def test_task_models_open_by_their_encoder(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    bare = load_file(folder / "model.safetensors")
    plain = open_backbone(str(folder), None, 2, 16)[0].state_dict()
    named = {f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma"): value for name, value in bare.items()}
    save_file({**named, "cls.predictions.bias": torch.zeros(3)}, folder / "model.safetensors")
    again = open_backbone(str(folder), None, 2, 16)[0].state_dict()
    assert all(torch.equal(value, again[name]) for name, value in plain.items() if not name.startswith("head."))


def test_half_precision_opens_as_float32(folder: Path) -> None:
    library_model("bert").half().save_pretrained(folder)
    assert {weight.dtype for weight in open_backbone(str(folder), None, 2, 16)[0].parameters()} == {torch.float32}


def test_more_tokens_than_positions_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"Set {POSITIONS} at most"):
        open_backbone(str(folder), None, 2, POSITIONS + 1)


def test_an_unknown_family_or_option_is_refused(folder: Path) -> None:
    for changes, words in (
        ({"position_embedding_type": "relative_key"}, "relative positions"),
        ({"position_embedding_type": "absolute", "hidden_act": "swish"}, "swish"),
        ({"hidden_act": "gelu", "hidden_size": -1}, "hidden_size"),
        ({"model_type": "mamba"}, "mamba"),
    ):
        rewritten_config(folder, **changes)
        with pytest.raises(ConfigurationError, match=words):
            open_backbone(str(folder), None, 2, 16)


def test_broken_folders_are_refused_with_the_file_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(IntegrityError, match=r"model\.safetensors"):
        open_backbone(str(folder), None, 2, 16)
    (folder / "config.json").write_text("{", "utf-8")
    with pytest.raises(IntegrityError, match=r"config\.json"):
        open_backbone(str(folder), None, 2, 16)
    (folder / "config.json").unlink()
    with pytest.raises(NotFound, match=r"config\.json"):
        open_backbone(str(folder), None, 2, 16)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    rewritten_config(folder, intermediate_size=999)
    with pytest.raises(IntegrityError, match="do not fit"):
        open_backbone(str(folder), None, 2, 16)


def test_a_folder_without_its_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(NotFound, match="no weights"):
        open_backbone(str(folder), None, 2, 16)


def test_without_a_network_a_hub_id_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv("no_proxy", "*")
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotFound, match="pip install") as refused:
        open_backbone("nobody/no-such-model", tmp_path, 2, 16)
    assert endpoint in str(refused.value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NotFound, match="HF_HUB_OFFLINE"):
        open_backbone("nobody/no-such-model", tmp_path, 2, 16)
    with pytest.raises(NotFound, match="folder"):
        open_backbone("../no/such folder", tmp_path, 2, 16)


def test_a_top_that_does_not_fit_is_refused(folder: Path) -> None:
    model = open_backbone(str(folder), None, 2, 16)[0]
    state = model.top_state(1)
    with pytest.raises(IntegrityError):
        open_top(model.architecture.as_json(), 0, 2, state)
    with pytest.raises(IntegrityError):
        open_top(model.architecture.as_json(), 1, 3, state)
    with pytest.raises(ConfigurationError):
        Architecture.of_json({"family": "bert"})
