"""One strategy through one stream: ``python -m freshtune.replay.cell STREAM CELL``, a process of its own.

What a cell found is written when it is done, whole, under a name that says what it was asked; so a replay that was
interrupted goes on with the cells that are missing.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from freshtune import record_json
from freshtune.processor import processor
from freshtune.records import Json
from freshtune.replay.play import Pace, play
from freshtune.replay.stream import Stream
from freshtune.rivals import STRATEGIES, Setting
from freshtune.settings import settings_of
from freshtune.tasks import answering, class_names


@dataclass(frozen=True)
class Order:
    """What is asked of a cell.

    Attributes:
        task: its table in ``freshtune.toml``.
        recipe: settings in the form of ``--set``, for freshtune's own loop.
        steps, at, label_delay: as ``Pace`` has them; ``at`` is for strategies that are dear.
        unpadded: as ``Setting`` has it.
        called: the name in every figure, where it is not the strategy's own.
    """

    strategy: str
    task_name: str
    task: Mapping[str, Json]
    backbone: str
    max_tokens: int
    threads: int
    seed: int
    held_out: float
    recipe: tuple[str, ...] = ()
    steps: int = 0
    at: tuple[int, ...] = ()
    called: str | None = None
    label_delay: int | None = None
    unpadded: bool | None = None

    @property
    def title(self) -> str:
        """What figures call it."""
        return self.called or self.strategy


def write_whole(path: Path, written: bytes) -> None:
    """Write a file under another name first: whoever finds it finds all of it."""
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.write_bytes(written)
    fresh.replace(path)


def main(recorded: Path, cell: Path) -> None:
    """Play a cell; what it found is written beside its order.

    Args:
        recorded: the stream.
        cell: path of the cell without a suffix; ``CELL.order.json`` is its order.
    """
    import torch

    order = record_json.loads(Order, cell.with_name(f"{cell.name}.order.json").read_bytes())
    stream = record_json.loads(Stream, recorded.read_bytes())
    torch.set_num_threads(order.threads)
    task = settings_of({"tasks": {order.task_name: dict(order.task)}}).task(order.task_name)
    everything = [each for part in stream.increments for each in (*part.learned, *part.held_out)]
    whole = answering(task, (), everything)
    with tempfile.TemporaryDirectory(prefix="freshtune-replay-") as name:
        setting = Setting(
            task, order.backbone, order.max_tokens, order.threads, order.seed, Path(name), order.held_out, order.recipe,
            class_names(whole.head()), bool(order.unpadded),
        )  # fmt: skip
        pace = Pace(order.steps, order.at, order.label_delay or 0)
        found = play(stream, STRATEGIES[order.strategy](setting), whole, order.title, pace)
    write_whole(cell.with_name(f"{cell.name}.json"), record_json.dumps(replace(found, processor=processor())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
