"""``python -m benchmarks.history.one_update FOLDER``: one update in a process of its own; its seconds by phase as json.

CPU seconds are of the process with all its threads, imports included.
"""

import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.history.past import TASK
from freshtune import front_door
from freshtune.phases import Phases


def main(root: Path, flags: Sequence[str]) -> None:
    """Update, promote whatever came out, and say what it took."""
    began: dict[str, float] = {}
    cpu: dict[str, float] = defaultdict(float)

    def ended(name: str, _: float) -> None:
        cpu[name] += time.process_time() - began[name]

    phases = Phases(on_start=lambda name: began.update({name: time.process_time()}), on_end=ended)
    shop, started = front_door.open(root, flags), time.perf_counter()
    live = shop.release_of(TASK)
    release = shop.update(TASK, phases)
    seconds = time.perf_counter() - started
    promoted = release.verdict.promote
    if not promoted:
        shop.store.registry.promote(release.id, live, "benchmark", "its cost is measured, not its worth", force=True)
    told = {
        "promoted": promoted,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(time.process_time(), 3),
        "phases": {name: round(value, 3) for name, value in phases.seconds.items()},
        "cpu_phases": {name: round(value, 3) for name, value in cpu.items()},
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
