"""``python -m benchmarks.serve [--quick]`` → ``benchmarks/serve/results/serve.json``."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

from benchmarks.serve.load import Order, Sample, finish, start
from benchmarks.serve.servers import running
from benchmarks.serve.shop_folder import TASK, build, make_key, open_registry, texts
from benchmarks.serve.training import NICENESS, THREADS, training
from freshtune.processor import processor

QUESTION = "What does serving over HTTP cost beyond the model itself? (TARGET 8)"
RIVALS = ("freshtune", "bare")
Figures = dict[str, float]


def figures(samples: Sequence[Sample]) -> Figures:
    """p50 and p99 in ms, requests a second, and failures of one round."""
    took = [1_000 * sample.seconds for sample in samples]
    cuts = quantiles(took, n=100)
    span = max(sample.sent + sample.seconds for sample in samples) - min(sample.sent for sample in samples)
    failed = sum(sample.status != 200 for sample in samples)
    return {
        "p50_ms": round(cuts[49], 3),
        "p99_ms": round(cuts[98], 3),
        "per_second": round(len(took) / span, 1),
        "failed": failed,
    }


def middle(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over rounds."""
    return {name: round(median(each[name] for each in rounds), 3) for name in rounds[0]}


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Play all rounds, the rivals in turn."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        release = build(folder, arguments.backbone, [arguments.cut])[0]
        with open_registry(folder) as registry:
            registry.promote(release, None, "benchmark")
        key = make_key(folder)
        ports = {rival: int(stack.enter_context(running(rival, folder)).rpartition(":")[2]) for rival in RIVALS}

        def play(rival: str, concurrency: int, seconds: float) -> Figures:
            return figures(finish(start(Order(ports[rival], key, texts(512), concurrency, seconds))))

        for rival in RIVALS:
            play(rival, arguments.concurrency, 1.0)
        alone = {rival: play(rival, 1, arguments.seconds) for rival in RIVALS}
        rounds = [
            {rival: play(rival, arguments.concurrency, arguments.seconds) for rival in RIVALS}
            for _ in range(arguments.rounds)
        ]
        with training(arguments.backbone):
            busy = [play("freshtune", arguments.concurrency, arguments.seconds) for _ in range(arguments.rounds)]
    return report(arguments, alone, rounds, busy)


def report(
    arguments: argparse.Namespace, alone: dict[str, Figures], rounds: list[dict[str, Figures]], busy: list[Figures]
) -> dict[str, object]:
    """All figures, and what TARGET 8 asks of them."""
    pairs = {
        name: [round(each["freshtune"][name] - each["bare"][name], 3) for each in rounds]
        for name in ("p50_ms", "p99_ms")
    }
    idle = median(each["freshtune"]["p99_ms"] for each in rounds)
    return {
        "question": QUESTION,
        "command": " ".join(["python -m benchmarks.serve", *sys.argv[1:]]),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "processor": processor()},
        "settings": {name: str(value) for name, value in vars(arguments).items() if name != "out"}
        | {"task": TASK, "texts_a_request": "1"},
        "concurrency_1": alone,
        "rivals": {rival: middle([each[rival] for each in rounds]) for rival in RIVALS},
        "over_bare_ms": {name: {"median": median(each), "rounds": each} for name, each in pairs.items()},
        "while_training": {
            "niceness": NICENESS,
            "threads": THREADS,
            **middle(busy),
            "p99_ratio_to_idle": round(median(each["p99_ms"] for each in busy) / idle, 2),
        },
        "aims": {"over_bare_p50_ms": 2.0, "over_bare_p99_ms": 3.0, "p99_ratio_to_idle": 3.0},
        "rounds": rounds,
    }


def main() -> None:
    """Read the arguments, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds on the smallest model")
    parser.add_argument("--backbone", default="bundled:multilingual-e5-small")
    parser.add_argument("--cut", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "serve.json")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.backbone, arguments.cut, arguments.rounds, arguments.seconds = "bundled:bert-tiny", 1, 2, 1.5
    result = measure(arguments)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: result[name] for name in ("rivals", "over_bare_ms", "while_training")}, indent=1))


if __name__ == "__main__":
    main()
