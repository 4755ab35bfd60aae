"""``python -m benchmarks.student --data zh|en [--variants NAME …]`` → ``benchmarks/student/results/DATA.json``.

A shop with some labelled texts and more without a label; a first release; light students of it, and what adapting to
the shop's texts is worth to it. All are judged on texts that none of them has seen. ``zh`` is zh_online_shopping_10cats
(all ten categories mixed), ``en`` amazon_musical_instruments in time order (4 and 5 stars against the rest); both lie
in the folder that ``FRESHTUNE_DATA`` names.
"""

import argparse
import csv
import gzip
import json
import os
import random
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from freshtune import front_door
from freshtune.cycle.beside_teacher import RULE
from freshtune.demo.play import SALT
from freshtune.intake.mapping import ColumnMapping
from freshtune.records import Json, Release
from freshtune.workspace import create_workspace

RESULTS = Path(__file__).parent / "results"
DATA = Path(os.environ.get("FRESHTUNE_DATA", Path(__file__).parents[3] / "shared" / "data"))
TASK = "sentiment"
MAPPING = ColumnMapping(text="text", label="label", id="id", task=TASK)
TEACHER = "teacher"

FOUR, THREE = "learn.student.layers=4", "learn.student.layers=3"
PLAIN = ("learn.student.imitation.answers=0.0", "learn.student.imitation.vectors=0.0", "learn.student.unlabelled=0")
NO_VECTORS, NO_TEXTS = "learn.student.imitation.vectors=0.0", "learn.student.unlabelled=0"
TINY = "model.backbone=bundled:bert-tiny"
STUDENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "zh": {
        "4 layers": (FOUR,),
        "4 layers, labels alone": (FOUR, *PLAIN),
        "4 layers, no vectors": (FOUR, NO_VECTORS),
        "4 layers, no unlabelled texts": (FOUR, NO_TEXTS),
        "4 lower layers": (FOUR, "learn.student.keep=lower"),
        "4 layers, head on labels alone": (FOUR, "learn.student.taught_head=0.0"),
        "3 layers": (THREE,),
    },
    "en": {
        "bert-tiny": (TINY,),
        "bert-tiny, labels alone": (TINY, *PLAIN),
        "bert-tiny, no vectors": (TINY, NO_VECTORS),
        "bert-tiny, no unlabelled texts": (TINY, NO_TEXTS),
    },
}
ADAPT = "learn.adapt.on=true"
WITHOUT_TEACHER: dict[str, dict[str, tuple[str, ...]]] = {
    "zh": {"adapted by contrast": (ADAPT,), "adapted by contrast, half": (ADAPT, "learn.adapt.share=0.5")},
    "en": {
        "bert-tiny without a teacher": (TINY,),
        "bert-tiny adapted by words": (TINY, ADAPT),
        "bert-tiny adapted by contrast": (TINY, ADAPT, "learn.adapt.pretext=contrast"),
    },
}
"""Releases made from the pretrained weights, as the first one."""


@dataclass(frozen=True)
class Texts:
    """Records to learn from, with and without labels, and records to judge by."""

    labelled: list[dict[str, Json]]
    unlabelled: list[dict[str, Json]]
    judged: list[dict[str, Json]]


def read(data: str, labelled: int, unlabelled: int, judged: int, seed: int) -> Texts:
    """A cut of a data set: shuffled where it has no time, else the latest are judged."""
    records: list[dict[str, Json]]
    if data == "zh":
        with gzip.open(DATA / "zh_online_shopping_10cats" / "reviews.csv.gz", "rt", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        names = {"0": "negative", "1": "positive"}
        records = [{"text": row["review"], "label": names[row["label"]]} for row in rows if row["review"].strip()]
        random.Random(seed).shuffle(records)
    else:
        with gzip.open(
            DATA / "amazon_musical_instruments" / "musical_until_2013.csv.gz", "rt", encoding="utf-8"
        ) as file:
            rows = sorted(csv.DictReader(file), key=lambda row: int(row["unixReviewTime"]))
        records = [
            {
                "text": f"{row['summary']}. {row['reviewText']}",
                "label": "positive" if float(row["overall"]) > 3 else "negative",
            }
            for row in rows
        ]
    unique = list({record["text"]: record for record in records}.values())
    numbered = [{"id": f"r{number}", **record} for number, record in enumerate(unique)]
    learned = numbered[:-judged]
    rest = [{"id": record["id"], "text": record["text"]} for record in learned[labelled : labelled + unlabelled]]
    return Texts(learned[:labelled], rest, numbered[-judged:])


def shop_of(root: Path, texts: Texts, max_tokens: int) -> front_door.OpenWorkspace:
    """A workspace that has taken the texts in."""
    create_workspace(root, [f"[tasks.{TASK}]", "[model]", f"max_tokens = {max_tokens}", ""], SALT)
    shop = front_door.open(root)
    shop.ingest(texts.labelled, MAPPING)
    shop.ingest(texts.unlabelled, MAPPING)
    return shop


def row_of(
    shop: front_door.OpenWorkspace, release: Release, judged: list[dict[str, Json]], seconds: float
) -> dict[str, Json]:
    """What one release comes to."""
    metrics = shop.evaluate(TASK, judged, MAPPING, release.id).scorecard.metrics
    row: dict[str, Json] = {name: round(metrics[name].value, 4) for name in ("accuracy", "macro_f1", "nll")}
    found = [finding.numbers for finding in release.verdict.findings if finding.rule == RULE]
    row |= {name: round(value, 4) for numbers in found for name, value in numbers.items()}
    return row | {"promoted": release.verdict.promote, "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=list(STUDENTS), default="zh")
    parser.add_argument("--variants", nargs="*", help="All when left out.")
    parser.add_argument("--labelled", type=int, default=3_000)
    parser.add_argument("--unlabelled", type=int, default=10_000)
    parser.add_argument("--judged", type=int, default=2_000)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], help="Settings of every variant.")
    parser.add_argument("--keep", type=Path, help="A folder for the workspace; an existing one is gone on with.")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    output = options.output or RESULTS / f"{options.data}.json"
    texts = read(options.data, options.labelled, options.unlabelled, options.judged, options.seed)
    with tempfile.TemporaryDirectory() as name:
        root = options.keep or Path(name) / "shop"
        shop = front_door.open(root) if root.exists() else shop_of(root, texts, options.max_tokens)
        with closing(shop.store.registry):
            result = measured(shop, options, texts, output)
    print(json.dumps(result, indent=2))


def measured(
    shop: front_door.OpenWorkspace, options: argparse.Namespace, texts: Texts, output: Path
) -> dict[str, Json]:
    """The teacher and every student, written down after each."""
    live = shop.store.registry.live_id(TASK)
    started = time.perf_counter()
    teacher = shop.train(TASK) if live is None else shop.store.registry.get(live)
    rows: dict[str, Json] = {TEACHER: row_of(shop, teacher, texts.judged, time.perf_counter() - started)}
    result: dict[str, Json] = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": options.data,
        "labelled": len(texts.labelled),
        "unlabelled": len(texts.unlabelled),
        "judged": len(texts.judged),
        "max_tokens": options.max_tokens,
        "seed": options.seed,
        "releases": rows,
    }
    taught = (f"learn.student.teacher={teacher.id}",)
    variants = {name: (*taught, *flags) for name, flags in STUDENTS[options.data].items()} | WITHOUT_TEACHER[
        options.data
    ]
    for variant, flags in variants.items():
        if options.variants and variant not in options.variants:
            continue
        seeds = [f"learn.{part}.seed={options.seed}" for part in ("student", "first", "adapt")]
        there = front_door.open(shop.store.root, [*flags, *seeds, *options.set])
        started = time.perf_counter()
        rows[variant] = row_of(there, there.train(TASK), texts.judged, time.perf_counter() - started)
        there.store.registry.close()
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(result, indent=2) + "\n")
    return result


if __name__ == "__main__":
    main()
