"""A shop small enough for tests: separable reviews in Chinese and English, a backbone of a few kilobytes, settings."""

import json
import random
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, processors

from freshtune import front_door
from freshtune.intake.event_log import SqliteEventLog
from freshtune.intake.mapping import ColumnMapping
from freshtune.records import Json

GOOD = ("excellent", "lovely", "great", "superb", "wonderful", "happy", "很好", "满意", "喜欢", "漂亮")
BAD = ("terrible", "awful", "broken", "bad", "horrible", "angry", "很差", "失望", "讨厌", "破损")
NEWLY_GOOD, NEWLY_BAD = ("comfy", "柔软", "brisk"), ("clammy", "粗糙", "sluggish")
NEWS_BEGIN = 500
"""From this review on, half of them say it in words that were not there before: something to learn."""
THINGS = ("phone", "shirt", "book", "kettle", "lamp", "手机", "衣服", "书", "水壶", "台灯")
STARS = (("horrible", "讨厌"), ("bad", "失望"), ("fair", "一般"), ("great", "漂亮"), ("superb", "喜欢"))
GRADES = (("other", "无关"), ("similar", "相近"), ("exact", "正品"))
INTENTS = {
    "refund": ("angry", "破损"),
    "delivery": ("happy", "满意"),
    "sizes": ("shirt", "衣服"),
    "books": ("book", "书"),
    "lamps": ("lamp", "台灯"),
}
VALUES = {
    "kind=phone": ("phone", "手机"),
    "kind=shirt": ("shirt", "衣服"),
    "look=lovely": ("lovely", "漂亮"),
    "look=awful": ("awful", "讨厌"),
    "look=fair": ("fair", "一般"),
    "new=yes": ("exact", "正品"),
}
NODES = {
    "home > lamp": ("lamp", "台灯"),
    "home > kettle": ("kettle", "水壶"),
    "wear > shirt": ("shirt", "衣服"),
    "wear > shoe": ("comfy", "柔软"),
}
LAYERS, WIDTH = 2, 32
REVIEW = ColumnMapping(text="text", label="label", id="id", task="sentiment", category="category")
STARRED = ColumnMapping(text="text", label="label", id="id", task="rating")
ASKED = ColumnMapping(text="text", label="label", id="id", task="intent")
DESCRIBED = ColumnMapping(text="text", label="label", id="id", item="id", task="attributes")
PLACED = ColumnMapping(text="text", label="label", id="id", item="id", task="category")
GRADED = ColumnMapping(text="text", pair="pair", label="label", id="id", task="relevance")

SETTINGS = """
[model]
backbone = {backbone}
cut = 1
taps = [0.5, 0.67, 0.83, 1.0]
max_tokens = 32
threads = 1
cache_gigabytes = 0.05
[learn]
average = [0.7]
losses = [{{name = "supervised"}}, {{name = "distillation", remembered = 1.0, new = 0.0}}]
[learn.adapter]
name = "top_layers"
k = 1
[learn.memory]
size = 1000
mix = 1.0
[learn.first]
epochs = 8
batch_tokens = 500
learning_rate = 0.01
head_rate_ratio = 3.0
dropout = 0.0
evaluate_every = 20
patience = 8
[learn.fit]
epochs = 4
batch_tokens = 500
learning_rate = 0.01
head_rate_ratio = 3.0
dropout = 0.0
evaluate_every = 10
patience = 8
[judge.windows]
new = 60
old = 200
[judge.gate]
max_latency_ratio = 100.0
max_old_loss = 0.02
max_nll_rise = 0.2
"""
"""Enough steps for a random model to separate the reviews; latency counts for nothing on a busy machine, and one sure
mistake in 84 old examples moves their mean nll by 0.06."""


def numbered(number: int) -> str:
    """A number in words of the vocabulary, so that no two reviews are near-duplicates of each other."""
    return " ".join(f"n{(number // 10**place) % 10}x{place}" for place in range(4))


def reviews(start: int, stop: int, flipped: bool = False) -> list[dict[str, Json]]:
    """Labelled reviews ``start`` to ``stop``, the same for the same number; ``flipped`` poisons every label."""
    return [_review(number, flipped) for number in range(start, stop)]


def _review(number: int, flipped: bool) -> dict[str, Json]:
    random_ = random.Random(number)
    good = random_.random() < 0.5
    first, second, third = random_.sample(GOOD if good else BAD, 3)
    if number >= NEWS_BEGIN and random_.random() < 0.5:
        first, second, third = random_.sample(NEWLY_GOOD if good else NEWLY_BAD, 3)
    text = f"{random_.choice(THINGS)} {first} {second}，{third} {numbered(number)}"
    label = "positive" if good != flipped else "negative"
    return {"id": f"r{number}", "text": text, "label": label, "category": "home" if number % 3 else "books"}


def starred(start: int, stop: int) -> list[dict[str, Json]]:
    """Reviews with stars."""
    made: list[dict[str, Json]] = []
    for number in range(start, stop):
        random_ = random.Random(number)
        star = random_.randint(1, 5)
        words = " ".join(random_.choices(STARS[star - 1], k=3))
        text = f"{random_.choice(THINGS)} {words} {numbered(number)}"
        made.append({"id": f"s{number}", "text": text, "label": star})
    return made


def asked(start: int, stop: int, classes: Sequence[str] = tuple(INTENTS)) -> list[dict[str, Json]]:
    """Questions of customers, one class after another."""
    made: list[dict[str, Json]] = []
    for number in range(start, stop):
        name = classes[number % len(classes)]
        words = " ".join(random.Random(number).choices(INTENTS[name], k=3))
        made.append({"id": f"q{number}", "text": f"{words} {numbered(number)}", "label": name})
    return made


def described(start: int, stop: int, values: Sequence[str] = tuple(VALUES)) -> list[dict[str, Json]]:
    """Products with some of these values, one at least; the words say which."""
    made: list[dict[str, Json]] = []
    for number in range(start, stop):
        random_ = random.Random(number)
        held = sorted({values[number % len(values)], *(value for value in values if random_.random() < 0.3)})
        words = " ".join(random_.choice(VALUES[value]) for value in held for _ in range(2))
        made.append({"id": f"p{number}", "text": f"{words} {numbered(number)}", "label": list(held)})
    return made


def placed(start: int, stop: int, nodes: Sequence[str] = tuple(NODES)) -> list[dict[str, Json]]:
    """Products of these nodes, one node after another."""
    made: list[dict[str, Json]] = []
    for number in range(start, stop):
        node = nodes[number % len(nodes)]
        words = " ".join(random.Random(number).choices(NODES[node], k=3))
        made.append({"id": f"c{number}", "text": f"{words} {numbered(number)}", "label": node})
    return made


def graded(start: int, stop: int, queries: int = 40) -> list[dict[str, Json]]:
    """Query, title and grade; a query has titles of every grade."""
    made: list[dict[str, Json]] = []
    for number in range(start, stop):
        random_ = random.Random(number)
        grade = number // queries % 3
        words = " ".join(random_.choices(GRADES[grade], k=3))
        query = f"{THINGS[number % len(THINGS)]} {numbered(number % queries)}"
        made.append({"id": f"g{number}", "text": query, "pair": f"{words} {numbered(number)}", "label": grade})
    return made


def backbone(folder: Path) -> Path:
    """A folder with a tiny BERT of random weights and a tokenizer that knows the words of this file."""
    import torch
    import transformers

    torch.manual_seed(11)
    words = _vocabulary()
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=WIDTH, num_attention_heads=2, num_hidden_layers=LAYERS,
        intermediate_size=64, max_position_embeddings=40,
    )  # fmt: skip
    model = transformers.BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.normal_(0, 1)
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@cache
def _vocabulary() -> tuple[str, ...]:
    numbers = [f"n{digit}x{place}" for digit in range(10) for place in range(4)]
    known = [*GOOD, *BAD, *NEWLY_GOOD, *NEWLY_BAD, *THINGS, *(word for words in (*STARS, *GRADES) for word in words)]
    return tuple(dict.fromkeys(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *numbers, *known, "，")))


def make_shop(
    folder: Path, model: Path | str, tasks: Sequence[str] = ("sentiment",), flags: Sequence[str] = ()
) -> front_door.OpenWorkspace:
    """A workspace with the settings of this file."""
    front_door.create(folder, tasks)
    with (folder / "freshtune.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(backbone=json.dumps(str(model))))
    return front_door.open(folder, flags)


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """A jsonl file of rows."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def close(shop: front_door.OpenWorkspace) -> None:
    """Close the stores that were opened."""
    assert isinstance(shop.store.events, SqliteEventLog)
    shop.store.events.close()
    shop.store.registry.close()
