"""A workspace with as long a history as is asked for, made without learning all of it.

A first release learns the first events for real. What came after it is then handed on as a long row of promoted updates
would have: folded into the index, offered to the memory and the held-out windows, its range consumed by a release with
the same weights. Everything that an update reads has the size that it has in a shop of that age.
"""

import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

from freshtune import front_door
from freshtune.cycle.rehearsal import Rehearsal
from freshtune.demo.stream import Length, open_stream
from freshtune.front_door import OpenWorkspace
from freshtune.intake.deltas import collect_delta
from freshtune.intake.mapping import ColumnMapping
from freshtune.judge.windows import advance
from freshtune.records import Json, LogRange
from freshtune.ship.bundle import REHEARSAL
from freshtune.ship.release_rows import MANIFEST, SCORECARDS, VERDICT, ReleaseDraft
from freshtune.workspace import create_workspace

TASK = "sentiment"
MAPPING = ColumnMapping(task=TASK, text="text", label="label", id="id", category="category")
FIRST = 7_000
SALT = b"public reviews, recombined: no secret"
_HELD_OUT_OF_AN_UPDATE = 100
LEAST, MOST = 40, 90
"""Characters of a made review."""


@cache
def _clauses() -> Mapping[tuple[str, str], Sequence[str]]:
    """What the built-in stream's real reviews are made of, by domain and label."""
    stream = open_stream(Length(None, None, None))
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for review in (*stream.first, *(one for part in stream.increments for one in part.reviews)):
        parts = re.split(r"(?<=[，。！？；,!?;])", review.text)
        found[review.domain, review.label] += [part for part in parts if 4 <= len(part) <= LEAST]
    return found


def reviews(start: int, stop: int) -> Iterator[dict[str, Json]]:
    """Reviews ``start`` to ``stop``, each of clauses of real reviews of one domain and label, the same each time."""
    strata = sorted(_clauses().items())
    for number in range(start, stop):
        draw = random.Random(number)
        (domain, label), clauses = strata[number % len(strata)]
        text, wanted = "", draw.randint(LEAST, MOST)
        while len(text) < wanted:
            text += draw.choice(clauses)
        yield {"id": f"e{number}", "text": text, "label": label, "category": domain}


def begin(root: Path, flags: Sequence[str]) -> dict[str, float]:
    """Make a workspace with a first release of FIRST events; the seconds of its training by phase."""
    from freshtune.phases import Phases

    create_workspace(root, [f"[tasks.{TASK}]", ""], SALT)
    shop, phases = front_door.open(root, flags), Phases()
    shop.ingest(reviews(0, FIRST), MAPPING)
    release = shop.train(TASK, phases)
    if not release.verdict.promote:
        shop.store.registry.promote(release.id, None, "benchmark", "its cost is measured, not its worth", force=True)
    return phases.seconds


def grow(root: Path, upto: int) -> dict[str, float]:
    """Let a workspace with a first release have ``upto`` events behind it; the seconds of what that took."""
    shop = front_door.open(root)
    started = time.perf_counter()
    shop.ingest(reviews(FIRST, upto), MAPPING)
    ingested = time.perf_counter()
    _hand_on(shop, LogRange(FIRST, upto))
    handed_on = time.perf_counter()
    print(f"{upto:,} events: ingested in {ingested - started:.0f} s", file=sys.stderr, flush=True)
    return {"ingest": ingested - started, "fold_and_hand_on": handed_on - ingested}


def _hand_on(shop: OpenWorkspace, within: LogRange) -> None:
    """Record and promote the live release once more, as the one that has learned a range."""
    task, registry, settings = shop.task(TASK), shop.store.registry, shop.settings
    champion = registry.live(TASK)
    assert champion
    with closing(shop.store.delta_index()) as index:
        delta = collect_delta(shop.store.events, task, within, index, settings.intake.held_out)
    own = (MANIFEST, SCORECARDS, VERDICT)
    files = {name: registry.load_file(champion, name) for name in champion.artefacts if name not in own}
    before = Rehearsal.read(files[REHEARSAL])
    memory = settings.learn.memory.keep(before.memory, delta.labelled)
    windows = before.windows
    for start in range(0, len(delta.held_out), _HELD_OUT_OF_AN_UPDATE):
        arrived = delta.held_out[start : start + _HELD_OUT_OF_AN_UPDATE]
        windows = advance(windows, arrived, settings.judge.windows)
    handed = shop.store.root / "runs" / REHEARSAL
    Rehearsal(memory, windows).write(handed)
    draft = ReleaseDraft(
        TASK, champion.id, champion.trunk, champion.vector_space, within, champion.recipe, {}, champion.verdict
    )
    release = registry.record(draft, {**files, REHEARSAL: handed})
    registry.promote(release.id, champion.id, "benchmark", "stands for the updates that learned it", force=True)
