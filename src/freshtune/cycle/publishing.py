"""A judged challenger becomes a release: recorded, and live if the gate says so."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from freshtune import record_json
from freshtune.cycle.champion import trunk_cache
from freshtune.cycle.gathering import Gathered
from freshtune.cycle.trial import Judged
from freshtune.errors import NotFound
from freshtune.model.trunk_cache import TrunkCache
from freshtune.records import Release
from freshtune.settings import ModelSettings, Settings, recipe_digest
from freshtune.ship.artefacts import digest_of
from freshtune.ship.bundle import REHEARSAL, TOP, TRUNK
from freshtune.ship.model_card import DATA_WINDOW, DataWindow
from freshtune.ship.registry_reader import RegistryReader
from freshtune.ship.release_rows import ReleaseDraft
from freshtune.tasks import Task
from freshtune.workspace import Workspace

_BUILDING = ".release-"


@contextmanager
def building(shop: Workspace, task: Task, settings: ModelSettings) -> Iterator[tuple[Path, TrunkCache]]:
    """What it takes to make one release: the task's lock, a folder for its files, gone afterwards, and the cache.

    Raises:
        Locked: another process is updating this task.
    """
    with shop.registry.lock(task.name), _folder(shop, task) as folder, trunk_cache(shop, task, settings) as cache:
        yield folder, cache


@contextmanager
def _folder(shop: Workspace, task: Task) -> Iterator[Path]:
    parent = shop.run_folder(task.name)
    parent.mkdir(parents=True, exist_ok=True)
    for leftover in parent.glob(f"{_BUILDING}*"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_BUILDING, dir=parent) as name:
        yield Path(name)


def publish(
    shop: Workspace,
    settings: Settings,
    champion: Release | None,
    gathered: Gathered,
    judged: Judged,
    files: Mapping[str, Path],
) -> Release:
    """Record a release; promote it where its verdict says so.

    Args:
        champion: its parent, and the release that must still be live; None for a first one.
        files: name → file of the model, in or beside the release's own folder; what it learned from is added here.
    """
    folder = files[TOP].parent
    own = folder / REHEARSAL, folder / DATA_WINDOW
    gathered.after.write(own[0])
    trunk = digest_of(files[TRUNK])
    before = window_of(shop.registry, champion.id) if champion and champion.trunk == trunk else None
    own[1].write_bytes(record_json.dumps(_window(gathered, before)))
    parent = None if champion is None else champion.id
    draft = ReleaseDraft(
        task=gathered.delta.task,
        parent=parent,
        trunk=trunk,
        vector_space=trunk,  # vectors are read off the trunk
        range=gathered.delta.range,
        recipe=recipe_digest(settings),
        scorecards=judged.scorecards,
        verdict=judged.verdict,
    )
    release = shop.registry.record(draft, {**files, **{path.name: path for path in own}})
    return shop.registry.promote(release.id, parent, by="gate") if judged.verdict.promote else release


def window_of(registry: RegistryReader, release: str) -> DataWindow | None:
    """What a release says of the data that it learned from; None where it says nothing, or its files were pruned."""
    try:
        return record_json.loads(DataWindow, registry.load_file(release, DATA_WINDOW).read_bytes())
    except NotFound:
        return None


def _window(gathered: Gathered, before: DataWindow | None) -> DataWindow:
    """What a release learned from.

    Args:
        before: the champion's, where its trunk stays.
    """
    delta = gathered.delta
    times: list[datetime] = [
        example.time for example in (*delta.labelled, *delta.unlabelled, *delta.held_out) if example.time is not None
    ]
    return DataWindow(
        first=min(times, default=None),
        last=max(times, default=None),
        events=delta.counts.events,
        labelled=len(delta.labelled),
        unlabelled=len(delta.unlabelled),
        held_out=len(delta.held_out),
        remembered=len(gathered.remembered),
        known_to_trunk=before.known_to_trunk if before else len(gathered.to_learn),
        since_trunk=before.since_trunk + len(delta.labelled) if before else 0,
    )
