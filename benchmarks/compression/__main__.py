"""``python -m benchmarks.compression [--rounds N]`` → ``benchmarks/compression/results/compression.json``.

One thread. The rival is the eager fp32 model of ``transformers``, a batch a call, nothing padded; beside it the
release's own weights as fp32 graphs, and what is served, both a text at a time. The three take turns in each round on
the same random token ids, so that what else the machine does hits all alike. What int8 loses is seen on held-out book
reviews.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freshtune import front_door
from freshtune.cycle.champion import bundle_of, trunk_cache
from freshtune.cycle.lessons import inputs_of
from freshtune.demo.play import MAPPING, SALT, SETTINGS, TASK
from freshtune.demo.stream import LENGTHS, open_stream
from freshtune.intake.deltas import labelled_examples
from freshtune.model.backbone import open_backbone
from freshtune.model.bundled import bundled_folder, default_cache
from freshtune.model.heads.classes import Classes
from freshtune.model.onnx_model import Graph
from freshtune.ship.bundle import TOP, TRUNK, Bundle
from freshtune.ship.changes import WEIGHTS
from freshtune.ship.export import export_top, export_trunk
from freshtune.workspace import create_workspace

RESULTS = Path(__file__).parent / "results" / "compression.json"
BACKBONE = "multilingual-e5-small"
SHAPES = ((1, 32), (1, 128), (32, 32), (32, 128))
"""Texts a call, tokens a text."""

Ids = NDArray[np.int32]
Way = Callable[[Sequence[Ids]], None]


def train(root: Path) -> tuple[front_door.OpenWorkspace, str]:
    """A first release of the demo's first part, of 128 tokens."""
    create_workspace(root, [line.replace("max_tokens = 64", "max_tokens = 128") for line in SETTINGS], SALT)
    shop = front_door.open(root)
    shop.ingest((review.record() for review in open_stream(LENGTHS["normal"]).first), MAPPING)
    return shop, shop.train(TASK).id


def eager() -> Way:
    """The model that everybody runs."""
    import torch
    from transformers import AutoModel

    torch.set_num_threads(1)
    folder = bundled_folder(BACKBONE, default_cache())  # its weights are stored in half precision, which CPUs emulate
    model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()

    def run(ids: Sequence[Ids]) -> None:
        with torch.inference_mode():
            model(input_ids=torch.from_numpy(np.stack(ids).astype(np.int64)))

    return run


def graphs(trunk: Path, top: Path) -> tuple[Way, Callable[[Sequence[Ids]], NDArray[np.float32]]]:
    """Trunk and top as the service runs them, a text at a time; and their logits."""
    lower, upper = Graph(trunk, 1), Graph(top, 1)

    def logits(ids: Sequence[Ids]) -> NDArray[np.float32]:
        return np.concatenate(upper.each(lower.each([text[None] for text in ids])))

    return lambda ids: (logits(ids), None)[1], logits


def unquantised(bundle: Bundle, folder: Path) -> tuple[Path, Path]:
    """The release's own weights as fp32 graphs."""
    from safetensors.torch import load_file

    taps = [tap / bundle.facts.layers for tap in bundle.facts.taps]
    model, _ = open_backbone(f"bundled:{BACKBONE}", None, bundle.head.outputs, bundle.tokens.max_tokens, taps)
    model.load_top(load_file(bundle.folder / WEIGHTS))
    export_trunk(model, bundle.facts.cut, folder / TRUNK)
    export_top(model, bundle.facts.cut, folder / TOP)
    return folder / TRUNK, folder / TOP


def milliseconds(ways: Mapping[str, Way], shape: tuple[int, int], rounds: int) -> dict[str, list[float]]:
    """Of each way and round, a text; the ways take turns."""
    texts, tokens = shape
    random = np.random.default_rng(0)
    ids = [random.integers(5, 40_000, tokens).astype(np.int32) for _ in range(texts)]
    taken: dict[str, list[float]] = {name: [] for name in ways}
    calls = max(1, 640 // (texts * tokens))
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            for _ in range(calls):
                way(ids)
            if number:  # the first round warms up
                taken[name].append(1_000 * (time.perf_counter() - started) / (calls * texts))
    return taken


def speeds(ways: Mapping[str, Way], rounds: int) -> dict[str, object]:
    """For each shape: milliseconds a text, and how many times faster than eager, paired by round."""
    told: dict[str, object] = {}
    for shape in SHAPES:
        taken = milliseconds(ways, shape, rounds)
        ratios = {
            name: [slow / fast for slow, fast in zip(taken["eager fp32"], times, strict=True)]
            for name, times in taken.items()
        }
        told[f"{shape[0]} texts of {shape[1]} tokens"] = {
            name: {
                "milliseconds": round(statistics.median(taken[name]), 2),
                "times_faster": round(statistics.median(of), 2),
                "spread": [round(min(of), 2), round(max(of), 2)],
            }
            for name, of in ratios.items()
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        shop, release = train(Path(name) / "shop")
        held_out = shop.store.registry.get(release).scorecards
        outcomes = [outcome for side in ("new", "old") for outcome in held_out[side].outcomes]
        examples = labelled_examples(
            shop.store.events, shop.settings.task(TASK), [each.id for each in outcomes], shop.store.events.head()
        )
        with (
            closing(shop.store.registry),
            trunk_cache(shop.store, shop.settings.task(TASK), shop.settings.model) as cache,
        ):
            bundle = bundle_of(shop.store, shop.store.registry.get(release), shop.settings.model, cache)
            full, full_logits = graphs(*unquantised(bundle, Path(name)))
            served, served_logits = graphs(bundle.folder / TRUNK, bundle.folder / TOP)
            ids = bundle.tokens.encode(inputs_of(list(examples.values())))
            assert isinstance(bundle.head, Classes)
            target = np.array([bundle.head.number(example.label) for example in examples.values() if example.label])
            right = {
                "onnx fp32": float((full_logits(ids).argmax(axis=1) == target).mean()),
                "served int8": float((served_logits(ids).argmax(axis=1) == target).mean()),
            }
            ways: dict[str, Way] = {"eager fp32": eager(), "onnx fp32": full, "served int8": served}
            result = {
                "measured": datetime.now(UTC).isoformat(timespec="seconds"),
                "backbone": BACKBONE,
                "threads": 1,
                "rounds": options.rounds,
                "speed": speeds(ways, options.rounds),
                "held_out": len(target),
                "accuracy": {name: round(value, 4) for name, value in right.items()},
                "points_lost": round(100 * (right["onnx fp32"] - right["served int8"]), 2),
                "aims": {"times_faster": 6, "points_lost": 0.3},
            }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
