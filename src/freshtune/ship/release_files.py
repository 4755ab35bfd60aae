"""The files of a release on their way into the store and back."""

from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from freshtune import record_json
from freshtune.errors import IntegrityError
from freshtune.faults import fault_point
from freshtune.records import Release, Scorecard, Verdict
from freshtune.ship.artefacts import ArtefactStore
from freshtune.ship.release_rows import (
    MANIFEST,
    SCORECARDS,
    VERDICT,
    ReleaseDraft,
    ReleaseRow,
    StoredFile,
    StoredRelease,
    checked_names,
    manifest,
    release_id,
)


def store_release(
    store: ArtefactStore, draft: ReleaseDraft, files: Mapping[str, Path], created: Callable[[str], str | None]
) -> StoredRelease:
    """Store all files of a release, its manifest last.

    Args:
        store: where to.
        draft: what the release is.
        files: name → local file.
        created: when a release of this id was recorded before, if it was; its manifest must stay the same.
    """
    checked_names(draft.task, files)
    contents: dict[str, Path | bytes] = {
        **files,
        SCORECARDS: record_json.dumps(draft.scorecards),
        VERDICT: record_json.dumps(draft.verdict),
    }
    stored = [_store(store, name, content) for name, content in sorted(contents.items())]
    fault_point("record:artefacts")
    artefacts = {file.name: file.digest for file in stored}
    identity = release_id(draft, artefacts)
    time = created(identity) or draft.created.isoformat()
    stored.append(_store(store, MANIFEST, manifest(identity, draft, time, artefacts)))
    return StoredRelease(identity, time, tuple(stored))


def restore(store: ArtefactStore, release: StoredRelease) -> None:
    """Put back what has gone from the store since."""
    for file in release.files:
        if not store.exists(file.digest):
            store.put(file.content)


def read_release(store: ArtefactStore, row: ReleaseRow) -> Release:
    """A release with its scorecards (none where they were pruned) and verdict.

    Raises:
        IntegrityError: one of the two is damaged or missing.
    """
    cards = orjson.loads(_read(store, row, SCORECARDS)) if SCORECARDS in row.files else {}
    return Release(
        id=row.id,
        task=row.task,
        parent=row.parent,
        trunk=row.trunk,
        vector_space=row.vector_space,
        range=row.range,
        recipe=row.recipe,
        created=row.created,
        scorecards={name: record_json.from_json(Scorecard, card) for name, card in cards.items()},
        verdict=record_json.loads(Verdict, _read(store, row, VERDICT)),
        artefacts=row.files,
        forced_by=row.forced_by,
        forced_why=row.forced_why,
    )


def _store(store: ArtefactStore, name: str, content: Path | bytes) -> StoredFile:
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    return StoredFile(name, store.put(content), size, content)


def _read(store: ArtefactStore, row: ReleaseRow, name: str) -> bytes:
    if name not in row.files:
        raise IntegrityError(f"{row.id} has no {name}", mend="Restore registry.db from a copy.")
    return store.path(row.files[name]).read_bytes()
