"""``python -m benchmarks.freshness`` → ``results/freshness.json``.

A shop with its service running. Again and again 100 labelled reviews are sent over HTTP; the clock starts when the
last one is acknowledged, and stops at the first answer of the service that names a release which learned them. In
between lie the update, its gate, the export, and the swap. The update is ``freshtune update`` started at that moment in
a process of its own, or ``ws.update`` in a process that is there already, in turns on the same shop.

All settings are the defaults. An update that the gate does not promote, for so few events may show no gain, is promoted
by hand at once, so that every round ends in a swap; how many the gate promoted is counted. The reviews are real, their
order is shuffled. ``freshtune watch``, which would start the update itself, is not built.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from freshtune import front_door
from freshtune.demo.play import MAPPING, SALT, TASK
from freshtune.demo.service import RunningService, running_service
from freshtune.demo.stream import LENGTHS, Review, open_stream
from freshtune.front_door import OpenWorkspace
from freshtune.processor import processor
from freshtune.workspace import create_workspace

RESULTS = Path(__file__).parent / "results" / "freshness.json"
NO_REFRESH = ("--set", "learn.trunk.refresh=0")
"""What takes minutes once in a while is not what is asked here."""
QUESTION = "How soon after a labelled event do answers come from a release that learned it? (TARGET 4)"
EVENTS, HISTORY = 100, 2_000
_PAUSE = 0.03
_PATIENCE = 600.0

Update = Callable[[], dict[str, Any]]


def send(service: RunningService, reviews: Sequence[Review]) -> None:
    """All of them in one batch; returns when they are on disk."""
    events = [
        {
            "id": review.id,
            "kind": "review",
            "task": TASK,
            "text": review.text,
            "fields": {"label": review.label, "category": review.domain},
        }
        for review in reviews
    ]
    content = json.dumps(events).encode()
    request = urllib.request.Request(f"{service.url}/v1/events", content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        kept = json.load(reply)["kept"]
    if kept != len(events):
        raise AssertionError(f"{kept} of {len(events)} events were kept")


def in_a_fresh_process(root: Path) -> dict[str, Any]:
    """``freshtune update``, as a person or a timer would start it."""
    command = [sys.executable, "-m", "freshtune", "update", TASK, "-w", str(root), "--json", *NO_REFRESH]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told: dict[str, Any] = json.loads(subprocess.run(command, check=False, stdout=subprocess.PIPE).stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return told | {"cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def in_a_standing_one(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """One line in, one line out."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return told


def timed(shop: OpenWorkspace, service: RunningService, reviews: Sequence[Review], update: Update) -> dict[str, Any]:
    """Send, update, and ask until an answer names another release than before."""
    before = service.ask(TASK, "好").release
    told: dict[str, Any] = {}

    def updated() -> None:
        told.update(update())
        if not told["promote"]:
            shop.store.registry.promote(told["id"], before, "benchmark", "freshness is measured, not worth", force=True)

    send(service, reviews)
    accepted = time.perf_counter()
    running = threading.Thread(target=updated)
    running.start()
    while (answered := service.ask(TASK, "好").release) == before:
        if time.perf_counter() - accepted > _PATIENCE:
            raise AssertionError(f"no new release answers: {told}")
        threading.Event().wait(_PAUSE)
    seconds = time.perf_counter() - accepted
    running.join()
    if answered != told["id"]:
        raise AssertionError(f"{answered} answers, {told['id']} was made")
    phases = {name: round(value, 3) for name, value in told["seconds"].items()}
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(told["cpu_seconds"], 3),
        "by_the_gate": told["promote"],
        "phases": phases,
        "load": round(os.getloadavg()[0], 2),
    }


def measure(folder: Path, updates: int, backbone: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of each way to update; the first round of both is not counted."""
    stream = open_stream(LENGTHS["full"])
    arriving = [*stream.first, *(review for part in stream.increments for review in part.reviews)]
    random.Random(0).shuffle(arriving)
    settings = [f"[tasks.{TASK}]", "[model]", f"backbone = {json.dumps(backbone)}", "nice = 0", ""]
    create_workspace(folder, settings, SALT)
    shop = front_door.open(folder)
    shop.ingest((review.record() for review in arriving[:HISTORY]), MAPPING)
    first = shop.train(TASK)
    if not first.verdict.promote:
        shop.store.registry.promote(first.id, None, "benchmark", "freshness is measured, not worth", force=True)
    command = [sys.executable, "-m", "benchmarks.freshness.standing", str(folder)]
    rows: dict[str, list[dict[str, Any]]] = {"fresh_process": [], "standing_process": []}
    with ExitStack() as stack:
        service = stack.enter_context(running_service(folder))
        service.wait_for(TASK, first.id)
        standing = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        ways: dict[str, Update] = {
            "fresh_process": lambda: in_a_fresh_process(folder),
            "standing_process": lambda: in_a_standing_one(standing),
        }
        start = HISTORY
        for _ in range(updates + 1):
            for name, update in ways.items():
                rows[name].append(timed(shop, service, arriving[start : start + EVENTS], update))
                start += EVENTS
                print(name, rows[name][-1], file=sys.stderr, flush=True)
        assert standing.stdin
        standing.stdin.close()
    return {name: each[1:] for name, each in rows.items()}


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    took = [row["seconds"] for row in rows]
    return {
        "updates": len(rows),
        "promoted_by_the_gate": sum(row["by_the_gate"] for row in rows),
        "p50_seconds": round(median(took), 2),
        "p95_seconds": round(quantiles(took, n=20, method="inclusive")[18], 2),
        "most_seconds": max(took),
        "p50_cpu_seconds": round(median(row["cpu_seconds"] for row in rows), 2),
        "median_phases": {name: round(median(row["phases"][name] for row in rows), 3) for name in rows[0]["phases"]},
        "each": list(rows),
    }


def main() -> None:
    """Measure, write, show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.freshness", description=__doc__)
    parser.add_argument("--updates", type=int, default=10, help="counted updates of each kind")
    parser.add_argument("--backbone", default="bundled:multilingual-e5-small")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name) / "shop", given.updates, given.backbone)
    summaries = {name: _summary(rows) for name, rows in found.items()}
    result = {
        "question": QUESTION,
        "command": " ".join(["python -m benchmarks.freshness", *sys.argv[1:]]),
        "machine": {"processor": processor(), "cores": len(os.sched_getaffinity(0))},
        "history_events": HISTORY,
        "events_an_update": EVENTS,
        "clock": "from the reply to POST /v1/events until an answer names the release that learned them",
        **summaries,
        "aim": "p95 of 10 s at most",
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    shown = ("p50_seconds", "p95_seconds", "p50_cpu_seconds")
    print(json.dumps({name: {key: each[key] for key in shown} for name, each in summaries.items()}))


if __name__ == "__main__":
    main()
