"""``python -m benchmarks.swap [--quick]`` → ``benchmarks/swap/results/swap.json``."""

import argparse
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles

from benchmarks.serve.load import Order, Sample, finish, start
from benchmarks.serve.servers import running
from benchmarks.serve.shop_folder import TASK, build, make_key, open_registry, texts
from freshtune.model.onnx_model import OnnxModel
from freshtune.model.predictor import Input
from freshtune.processor import processor
from freshtune.serve.opening import SharedTrunks
from freshtune.serve.replies import readable

QUESTION = "Does anybody notice that the live release is replaced? (TARGET 9)"
TEXTS = 256


def _live(url: str, key: str) -> tuple[str, float]:
    """The release that answers, and the seconds that it took to load."""
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=10)) as connection:
        connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {key}"})
        told = json.load(connection.getresponse())["tasks"][TASK]
    return told["release"], told["load_seconds"]


def _until_live(url: str, key: str, release: str) -> float:
    """Wait for a release; gives the seconds that it took to load."""
    pause = threading.Event()
    while True:
        live, load_seconds = _live(url, key)
        if live == release:
            return load_seconds
        pause.wait(0.002)


def swaps(url: str, key: str, folder: Path, releases: Sequence[str], count: int) -> list[dict[str, float]]:
    """Promote the releases in turn from this process, and time each until the server's process names it."""
    timed = []
    with open_registry(folder) as registry:
        for number in range(count):
            wanted = releases[(number + 1) % len(releases)]
            registry.promote(wanted, registry.live_id(TASK), "benchmark")
            promoted = time.monotonic()
            loading = _until_live(url, key, wanted)
            timed.append({"seconds": time.monotonic() - promoted, "loading": loading})
        live = registry.live_id(TASK)
        assert live
        start_rollback = time.monotonic()
        before = registry.rollback(TASK, live, "benchmark", force=True).id
        _until_live(url, key, before)
        timed.append({"rollback": time.monotonic() - start_rollback})
    return timed


def mixed(folder: Path, samples: Sequence[Sample], asked: Sequence[str]) -> int:
    """How many answers are not those of the release that they name, each recomputed here."""
    wrong, expected = 0, dict[tuple[str, int], object]()
    with open_registry(folder) as registry:
        opener = SharedTrunks(registry)
        models: dict[str, OnnxModel] = {}
        for sample in samples:
            if sample.status != 200:
                continue
            given = json.loads(sample.body)
            release = given["release"]
            if (release, sample.text) not in expected:
                model = models.get(release) or models.setdefault(release, opener(registry.get(release)))
                answers = model.head.answers(model.logits([Input(asked[sample.text])]))
                expected[release, sample.text] = json.loads(json.dumps(readable(model.head, answers)))
            wrong += given["answers"] != expected[release, sample.text]
    return wrong


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Swap under load, then look at every answer."""
    asked = texts(TEXTS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cuts = [arguments.cut, arguments.cut, arguments.cut - 1]  # two on one trunk, the third on another
        releases = build(folder, arguments.backbone, cuts)
        with open_registry(folder) as registry:
            registry.promote(releases[0], None, "benchmark")
        key = make_key(folder)
        with running("freshtune", folder) as url:
            _until_live(url, key, releases[0])
            port = int(url.rpartition(":")[2])
            idle = finish(start(Order(port, key, asked, arguments.concurrency, arguments.idle_seconds, bodies=True)))
            load = start(Order(port, key, asked, arguments.concurrency, 0, bodies=True))
            timed = swaps(url, key, folder, releases, arguments.swaps)
            samples = finish(load)
        wrong = mixed(folder, [*idle, *samples], asked)
    return report(arguments, idle, samples, timed, wrong)


def _latency(samples: Sequence[Sample]) -> dict[str, float]:
    took = [1_000 * sample.seconds for sample in samples]
    cuts = quantiles(took, n=100)
    return {
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
        "max_ms": round(max(took), 2),
        "requests": len(took),
    }


def report(
    arguments: argparse.Namespace,
    idle: Sequence[Sample],
    samples: Sequence[Sample],
    timed: Sequence[dict[str, float]],
    wrong: int,
) -> dict[str, object]:
    """All figures, and what TARGET 9 asks of them."""
    seen = [1_000 * (each["seconds"] - each["loading"]) for each in timed if "seconds" in each]
    loading = [1_000 * each["loading"] for each in timed if "loading" in each]
    rollback = next(each["rollback"] for each in timed if "rollback" in each)
    return {
        "question": QUESTION,
        "command": " ".join(["python -m benchmarks.swap", *sys.argv[1:]]),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "processor": processor()},
        "settings": {name: str(value) for name, value in vars(arguments).items() if name != "out"},
        "swaps": len(seen),
        "failed": sum(sample.status != 200 for sample in [*idle, *samples]),
        "mixed": wrong,
        "answers_checked": len(idle) + len(samples),
        "without_swaps": _latency(idle),
        "during_swaps": _latency(samples),
        "over_250_ms": sum(sample.seconds > 0.25 for sample in samples),
        "promote_to_live_ms": {
            "without_loading_median": round(median(seen), 1),
            "without_loading_max": round(max(seen), 1),
        },
        "loading_ms": {"median": round(median(loading), 1), "max": round(max(loading), 1)},
        "rollback_seconds": round(rollback, 3),
        "aims": {"failed": 0, "mixed": 0, "over_250_ms": 0, "promote_to_live_ms": 200, "rollback_seconds": 2},
    }


def main() -> None:
    """Read the arguments, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 swaps of the smallest model")
    parser.add_argument("--backbone", default="bundled:multilingual-e5-small")
    parser.add_argument("--cut", type=int, default=8)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--idle-seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "swap.json")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.backbone, arguments.cut, arguments.swaps, arguments.idle_seconds = "bundled:bert-tiny", 2, 10, 1.0
    result = measure(arguments)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
