"""Publishes, promotes, rolls back and prunes until it is done or killed.

Run as ``python -m tests.ship.killed_child FOLDER ROUND``.

Each line on stdout is something that the caller may rely on from then on.
"""

import sys
from pathlib import Path

from freshtune.ship.prune import prune
from freshtune.ship.registry import Registry
from tests.ship.drafts import draft, files, open_registry


def acknowledge(step: str, release: str) -> None:
    print(step, release, flush=True)


def publish(registry: Registry, folder: Path, turn: int) -> str:
    live, since = registry.live_id("sentiment"), registry.watermark("sentiment")
    name = f"{turn}-{since}"
    made = draft(live, since, since + 100, accuracy=turn + since / 1_000_000)
    release = registry.record(made, files(folder, name, trunk=name)).id
    acknowledge("record", release)
    registry.promote(release, live, "child")
    acknowledge("promote", release)
    return release


def main(folder: Path, turn: int) -> None:
    with open_registry(folder) as registry, registry.lock("sentiment"):
        publish(registry, folder, turn)
        newest = publish(registry, folder, turn)
        acknowledge("rollback", registry.rollback("sentiment", newest, "child").id)
        prune(registry, keep=2)
        acknowledge("prune", newest)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
