"""The head that guesses words: equal to the library's where the weights carry it, refused with a reason where not."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from freshtune.errors import ConfigurationError
from freshtune.model.backbone import open_backbone, open_word_head
from tests.model.tiny_models import ENCODER_SIZES, LAYERS, WORDS, saved, word_tokenizer

WHOLE = ("bert", "ernie", "roberta", "xlm-roberta")


def whole_model(family: str) -> Any:
    import transformers

    config, kind = {
        "bert": (transformers.BertConfig(), transformers.BertForMaskedLM),
        "ernie": (transformers.ErnieConfig(), transformers.ErnieForMaskedLM),
        "roberta": (transformers.RobertaConfig(), transformers.RobertaForMaskedLM),
        "xlm-roberta": (transformers.XLMRobertaConfig(), transformers.XLMRobertaForMaskedLM),
    }[family]
    for name, value in ENCODER_SIZES.items():
        setattr(config, name, value)
    torch.manual_seed(3)
    model = kind(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    return model


def written(family: str, folder: Path, **how: Any) -> Path:
    whole_model(family).save_pretrained(folder, **how)
    word_tokenizer(family).save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize("shards", [False, True])
@pytest.mark.parametrize("family", WHOLE)
def test_its_logits_are_the_librarys(family: str, shards: bool, tmp_path: Path) -> None:
    folder = written(family, tmp_path, **({"max_shard_size": "60KB"} if shards else {}))
    assert (folder / "model.safetensors").exists() != shards
    ids = torch.randint(5, WORDS, (3, 6))
    with torch.no_grad():
        theirs = whole_model(family)(input_ids=ids).logits
        model, _ = open_backbone(str(folder), None, 2, 16)
        states = model.blocks[str(LAYERS - 1)](model.lower(ids, None, LAYERS - 1), None)
        ours = open_word_head(str(folder)).logits(states, model.tokens.weight)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", [*WHOLE, "gpt2"])
def test_a_bare_encoder_is_refused(family: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot guess masked words") as refused:
        open_word_head(str(saved(family, tmp_path)))
    assert "contrast" in refused.value.mend


def test_a_tied_table_alone_is_not_enough(tmp_path: Path) -> None:
    written("bert", tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    kept = {name: value for name, value in state.items() if "transform.dense" not in name}
    assert len(kept) == len(state) - 2
    save_file(kept, tmp_path / "model.safetensors")
    with pytest.raises(ConfigurationError, match="lacks dense"):
        open_word_head(str(tmp_path))


def test_the_first_checkpoints_names_are_known(tmp_path: Path) -> None:
    written("bert", tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    norm = state["cls.predictions.transform.LayerNorm.weight"]
    save_file(
        {name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): v for name, v in state.items()},
        tmp_path / "model.safetensors",
    )
    assert torch.equal(open_word_head(str(tmp_path)).weights["norm.weight"], norm)
