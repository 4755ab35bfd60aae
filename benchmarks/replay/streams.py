"""The streams that are played: four recordings of real shops, and the one that is built in."""

import csv
import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.clinc_domains import DOMAIN_OF
from freshtune.demo.stream import LENGTHS, open_stream
from freshtune.intake.mapping import ColumnMapping
from freshtune.records import Example, Json
from freshtune.replay.recording import read_recording
from freshtune.replay.stream import Cutting, Stream, cut
from freshtune.settings import settings_of
from freshtune.tasks import TASKS, Task

BINARY = {"0": "negative", "1": "positive"}


@dataclass(frozen=True)
class Source:
    """Where a stream comes from.

    Attributes:
        task: name of the task that its labels are for.
        about: what arrives, and in which order.
        read: from the folder of data and the task to the examples, in the recording's order.
        how: how it is cut; the seed is put in.
    """

    task: str
    about: str
    read: Callable[[Path, Task], Sequence[Example]]
    how: Cutting

    def task_of(self) -> Task:
        """The task as its defaults have it."""
        return settings_of({"tasks": {self.task: {}}}).task(self.task)


def _shopping(data: Path, task: Task) -> Sequence[Example]:
    mapping = ColumnMapping(task=task.name, text="review", label="label", label_map=BINARY, category="cat")
    return read_recording(data / "zh_online_shopping_10cats" / "reviews.csv.gz", mapping, task)


def _clothing(data: Path, task: Task) -> Sequence[Example]:
    mapping = ColumnMapping(task=task.name, text="review", label="rating", category="department")
    return read_recording(data / "womens_clothing_reviews" / "reviews.csv.gz", mapping, task)


def _instruments(data: Path, task: Task) -> Sequence[Example]:
    mapping = ColumnMapping(task=task.name, text="reviewText", label="overall", time="unixReviewTime")
    return read_recording(data / "amazon_musical_instruments" / "musical_until_2013.csv.gz", mapping, task)


def _built_in(_: Path, task: Task) -> Sequence[Example]:
    stream = open_stream(LENGTHS["normal"])
    parts = [(stream.first[0].domain, stream.first), *((part.name, part.reviews) for part in stream.increments)]
    records: list[dict[str, Json]] = [review.record() | {"part": name} for name, rows in parts for review in rows]
    return read_recording(records, ColumnMapping(task=task.name, text="text", label="label", category="part"), task)


def _intents(data: Path, task: Task) -> Sequence[Example]:
    with gzip.open(data / "clinc150" / "intents.csv.gz", "rb") as file:
        rows = list(csv.DictReader(io.StringIO(file.read().decode("utf-8"))))
    known = [row | {"domain": DOMAIN_OF[row["intent"]]} for row in rows if row["intent"] in DOMAIN_OF]
    order = list(dict.fromkeys(DOMAIN_OF.values()))
    records: list[Mapping[str, Json]] = [*sorted(known, key=lambda row: order.index(row["domain"]))]
    return read_recording(records, ColumnMapping(task=task.name, text="text", label="intent", category="domain"), task)


SOURCES: Mapping[str, Source] = {
    "10cats": Source("sentiment", "Chinese reviews, 7 product categories after 3", _shopping, Cutting(judges=600)),
    "womens": Source("rating", "English reviews of clothes, 3 departments after 3", _clothing, Cutting()),
    "amazon": Source("rating", "English reviews of instruments, in time", _instruments, Cutting(increments=5)),
    "builtin": Source("sentiment", "the stream of freshtune demo", _built_in, Cutting(base=1, limit=2_000)),
    "clinc150": Source("intent", "English requests, 7 domains of 15 intents after 3", _intents, Cutting()),
}


def ready(name: str) -> bool:
    """Whether this freshtune has the stream's task."""
    return SOURCES[name].task in TASKS


def stream_of(name: str, data: Path, seed: int, limit: int = 0, judges: int = 0) -> Stream:
    """Cut a stream.

    Args:
        data: the folder of recordings; the built-in stream does not look at it.
        limit, judges: in place of the stream's own; 0 leaves those.
    """
    source = SOURCES[name]
    how = replace(source.how, seed=seed, limit=limit or source.how.limit, judges=judges or source.how.judges)
    return cut(source.read(data, source.task_of()), how)


def dear_at(increments: int) -> tuple[int, ...]:
    """Increments at which the dear rivals are played: the third and the seventh, or the middle and the last."""
    return (3, 7) if increments == 7 else tuple(sorted({(increments + 1) // 2, increments}))
