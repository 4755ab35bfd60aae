"""When a trunk is due to be made again: the slower of the two speeds at which a model is kept fresh."""

from collections.abc import Mapping

from freshtune import record_json
from freshtune.cycle.rehearsal import Rehearsal
from freshtune.errors import ConfigurationError, NotFound
from freshtune.model.onnx_model import described_model
from freshtune.settings import LearnSettings, Settings
from freshtune.ship.bundle import MODEL, REHEARSAL, ModelFacts
from freshtune.ship.model_card import DATA_WINDOW, DataWindow
from freshtune.ship.release_rows import ReleaseSummary
from freshtune.tasks import Task
from freshtune.workspace import Workspace

_LATEST = 1_000
"""Releases that are looked through for the one that made the trunk."""


def reason_to_refresh(shop: Workspace, task: Task, settings: Settings) -> str | None:
    """In a sentence, why the trunk of the live release is due; None where it is not, or cannot be made again.

    It is due once as much has been learned since it was made, or since a refresh was tried, as makes what it knew then
    ``learn.trunk.refresh`` times as much. What it knew counts as no more than what is remembered: a refresh learns no
    more than that.
    """
    learn, live = settings.of(task.name).learn, shop.registry.live_id(task.name)
    times = learn.trunk.refresh
    if live is None or times <= 0 or _why_not(learn, _facts(shop, live)):
        return None
    known, since = _learned(shop, task.name)
    remembered = len(Rehearsal.read(shop.registry.load_file(live, REHEARSAL)).memory)
    if not known or not remembered or since < (times - 1) * min(known, remembered):
        return None
    return (
        f"The trunk of {task.name} was made when {known:,} examples were known; {since:,} have been learned since, "
        "by tops alone."
    )


def require_refreshable(task: Task, learn: LearnSettings, facts: ModelFacts) -> None:
    """Refuse where a refresh would give the trunk that there is.

    Raises:
        ConfigurationError: says why, and what to do.
    """
    why_not = _why_not(learn, facts)
    if why_not:
        raise ConfigurationError(f"The trunk of {task.name} cannot be refreshed.", *why_not)


def nothing_remembered(task: Task) -> NotFound:
    """There is nothing to make a trunk from."""
    return NotFound(
        f"The trunk of {task.name} cannot be refreshed.",
        "Its live release remembers no example.",
        f"Give learn.memory a size and update, or begin anew from all history: freshtune train {task.name}",
    )


def _why_not(learn: LearnSettings, facts: ModelFacts) -> tuple[str, str] | None:
    if facts.teacher:
        return "A teacher made it.", "Let it be taught again: freshtune train --teacher"
    if learn.adapt.on:
        return "It was adapted to the shop's texts first.", "Do so again: freshtune train --adapt"
    if not learn.trunk.share:
        return "learn.trunk.share is 0: it stays as it was pretrained.", "Set a share, such as 0.5."
    return None


def _facts(shop: Workspace, release: str) -> ModelFacts:
    return ModelFacts.read(described_model(shop.registry.load_file(release, MODEL)))


def _learned(shop: Workspace, task: str) -> tuple[int, int]:
    """Examples that were known when the live trunk was made or last tried to be, and those learned since; zeros where
    that is further back than is looked."""
    releases = {each.id: each for each in shop.registry.list(task, _LATEST)}
    since = 0
    for each in releases.values():  # the newest first
        window = _window(shop, each)
        if _made_a_trunk(each, releases):
            return (window.labelled + window.remembered, since) if window else (0, 0)
        since += window.labelled if window and each.outcome == "promoted" else 0
    return 0, 0


def _made_a_trunk(release: ReleaseSummary, known: Mapping[str, ReleaseSummary]) -> bool:
    parent = known.get(release.parent or "")
    return release.parent is None or (parent is not None and parent.trunk != release.trunk)


def _window(shop: Workspace, release: ReleaseSummary) -> DataWindow | None:
    try:
        path = shop.registry.load_file(release.id, DATA_WINDOW)
    except NotFound:
        return None  # pruned
    return record_json.loads(DataWindow, path.read_bytes())
