"""Tiny transformers models with random weights, one a family, and folders that they are saved to."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = 200
WIDTH, HEADS, LAYERS, INNER, POSITIONS = 64, 4, 3, 128, 48
ENCODER_SIZES = {
    "vocab_size": WORDS,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "intermediate_size": INNER,
    "max_position_embeddings": POSITIONS,
}
GPT2_SIZES = {
    "vocab_size": WORDS,
    "n_embd": WIDTH,
    "n_head": HEADS,
    "n_layer": LAYERS,
    "n_inner": INNER,
    "n_positions": POSITIONS,
}
FAMILIES = ("bert", "ernie", "xlm-roberta", "roberta", "gpt2")


def library_model(family: str) -> Any:
    """The library's own model of a family, in evaluation mode, its embeddings and norms away from 0 and 1."""
    import transformers

    torch.manual_seed(7)
    model: Any
    if family == "gpt2":
        model = transformers.GPT2Model(_configured(transformers.GPT2Config(), GPT2_SIZES))
    else:
        config, kind = {
            "bert": (transformers.BertConfig(), transformers.BertModel),
            "ernie": (transformers.ErnieConfig(use_task_id=True, task_type_vocab_size=3), transformers.ErnieModel),
            "roberta": (transformers.RobertaConfig(), transformers.RobertaModel),
            "xlm-roberta": (transformers.XLMRobertaConfig(), transformers.XLMRobertaModel),
        }[family]
        model = kind(_configured(config, ENCODER_SIZES), add_pooling_layer=False)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    return model.eval()


def _configured(config: Any, sizes: dict[str, int]) -> Any:
    for name, value in sizes.items():
        setattr(config, name, value)
    return config


def saved(family: str, folder: Path) -> Path:
    """A folder with the model of a family and a tokenizer of words ``w0`` to ``w199``."""
    library_model(family).save_pretrained(folder)
    word_tokenizer(family).save(str(folder / "tokenizer.json"))
    return folder


def word_tokenizer(family: str) -> Tokenizer:
    names = ["<pad0>", "<pad>", "<s>", "</s>", "<unk>", *(f"w{number}" for number in range(5, WORDS))]
    tokenizer = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if family != "gpt2":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
        )
    return tokenizer


def rewritten_config(folder: Path, **changes: object) -> None:
    """Change fields of a saved ``config.json``."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")
