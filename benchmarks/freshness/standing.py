"""``python -m benchmarks.freshness.standing FOLDER``: a process that stays, and updates each time a line comes in.

It answers each line with one line of json. Its imports are warm from the second update on.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from freshtune import front_door
from freshtune.demo.play import TASK
from freshtune.phases import Phases


def main(root: Path, flags: Sequence[str]) -> None:
    """Wait, update, tell."""
    shop = front_door.open(root, flags)
    for _ in sys.stdin:
        phases, started = Phases(), time.process_time()
        release = shop.update(TASK, phases)
        told = {
            "id": release.id,
            "promote": release.verdict.promote,
            "seconds": phases.seconds,
            "cpu_seconds": time.process_time() - started,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
