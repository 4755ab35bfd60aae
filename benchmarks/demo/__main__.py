"""``python -m benchmarks.demo`` → ``results/demo.json``.

Two plays of the built-in stream, each in a workspace of its own. The first is ``freshtune demo`` as a user runs it. The
second makes each update a process of its own, beside a running service, and takes the time from starting
``freshtune update`` until an answer of the service names the new release.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from freshtune import front_door
from freshtune.demo.play import MAPPING, SALT, SETTINGS, TASK
from freshtune.demo.service import RunningService, running_service
from freshtune.demo.stream import LENGTHS, open_stream
from freshtune.processor import processor
from freshtune.workspace import create_workspace

RESULTS = Path(__file__).parent / "results" / "demo.json"
NO_REFRESH = ("--set", "learn.trunk.refresh=0")
"""What takes minutes once in a while is not what is asked here."""


def played(length: str, folder: Path) -> dict[str, Any]:
    """The demo's own findings."""
    flags = [] if length == "normal" else [f"--{length}"]
    command = [sys.executable, "-m", "freshtune", "demo", "--json", "--folder", str(folder), *flags]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    told.pop("report")
    return told


def fresh_updates(length: str, root: Path) -> list[dict[str, Any]]:
    """One row an update, each in a fresh process."""
    stream = open_stream(LENGTHS[length])
    create_workspace(root, SETTINGS, SALT)
    shop = front_door.open(root)
    shop.ingest((review.record() for review in stream.first), MAPPING)
    first = shop.train(TASK)
    rows = []
    with running_service(root) as service:
        service.wait_for(TASK, first.id)
        for increment in stream.increments:
            shop.ingest((review.record() for review in increment.reviews), MAPPING)
            rows.append({"name": increment.name, **_update(root, service)})
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _update(root: Path, service: RunningService) -> dict[str, Any]:
    command = [sys.executable, "-m", "freshtune", "update", TASK, "-w", str(root), "--json", *NO_REFRESH]
    started = time.perf_counter()
    run = subprocess.run(command, check=False, capture_output=True)
    told = json.loads(run.stdout)
    if told["promote"]:
        service.wait_for(TASK, told["id"])
    return {
        "promoted": told["promote"],
        "seconds": round(time.perf_counter() - started, 2),
        "phases": told["seconds"],
        "reasons": told["reasons"],
    }


def main() -> None:
    """Measure, write, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", choices=LENGTHS, default="normal")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        demo = played(given.length, Path(name) / "demo")
        updates = fresh_updates(given.length, Path(name) / "fresh")
    served = [row["seconds"] for row in updates if row["promoted"]]
    result = {
        "command": "python -m benchmarks.demo",
        "machine": {"processor": processor(), "cores": len(os.sched_getaffinity(0))},
        "demo": demo,
        "fresh_process_updates": updates,
        "seconds_to_first_answer": {"median": median(served), "most": max(served)} if served else None,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(result["seconds_to_first_answer"]))


if __name__ == "__main__":
    main()
