"""When a trunk is due to be made again: the slower of the two speeds at which a model is kept fresh."""

from collections.abc import Iterator

from freshtune.cycle.champion import overruled
from freshtune.cycle.publishing import window_of
from freshtune.cycle.rehearsal import Rehearsal
from freshtune.errors import ConfigurationError, NotFound
from freshtune.model.onnx_model import described_model
from freshtune.settings import Settings
from freshtune.ship.bundle import MODEL, REHEARSAL, ModelFacts
from freshtune.ship.release_rows import ReleaseSummary
from freshtune.tasks import Task
from freshtune.workspace import Workspace

_LATEST = 100
"""Releases that are looked through for a refresh that was tried."""


def reason_to_refresh(shop: Workspace, task: Task, settings: Settings) -> str | None:
    """In a sentence, why the trunk of the live release is due; None where it is not, or cannot be made again.

    It is due once what has been learned since it was made, or since a refresh of it was last tried, makes what it knew
    then ``learn.trunk.refresh`` times as much. What it knew counts as no more than what is remembered: of a long
    history a refresh learns no more than that.
    """
    settings = settings.of(task.name)
    learn, registry, live = settings.learn, shop.registry, shop.registry.live_id(task.name)
    if live is None or not learn.trunk.refresh:
        return None
    described = described_model(registry.load_file(live, MODEL))
    if any(_hindrances(settings, ModelFacts.read(described), int(str(described["max_tokens"])))):
        return None
    window = window_of(registry, live)
    remembered = len(learn.memory.recall(Rehearsal.read(registry.load_file(live, REHEARSAL)).memory, None))
    known = min(window.known_to_trunk, remembered) if window else 0
    if window is None or not known or window.since_trunk - _tried(shop, task.name) < (learn.trunk.refresh - 1) * known:
        return None
    return (
        f"The trunk of {task.name} was made when {window.known_to_trunk:,} examples were known; {window.since_trunk:,} "
        f"have been learned since by tops alone, and {remembered:,} are remembered to make it from."
    )


def require_refreshable(task: Task, settings: Settings, facts: ModelFacts, max_tokens: int) -> None:
    """Refuse where a refresh would give the trunk that there is, or another model than the one that is live.

    Args:
        facts, max_tokens: the live release's.

    Raises:
        ConfigurationError: says why, and what to do.
    """
    for why, mend in _hindrances(settings, facts, max_tokens):
        raise ConfigurationError(f"The trunk of {task.name} cannot be refreshed.", why, mend.format(task=task.name))


def nothing_remembered(task: Task) -> NotFound:
    """There is nothing to make a trunk from."""
    return NotFound(
        f"The trunk of {task.name} cannot be refreshed.",
        "Nothing is remembered that it could be made from.",
        f"Give learn.memory a size and update, or begin anew from all history: freshtune train {task.name}",
    )


def _hindrances(settings: Settings, facts: ModelFacts, max_tokens: int) -> Iterator[tuple[str, str]]:
    """Why a trunk cannot be made again, and what to do instead."""
    if facts.teacher:
        yield "A teacher made it.", "Let it be taught again: freshtune train {task} --teacher live"
    if facts.adapted or settings.learn.adapt.on:
        yield "The network reads the shop's texts first.", "Let it do so again: freshtune train {task} --adapt"
    if not settings.learn.trunk.share:
        yield "learn.trunk.share is 0: it stays as it was pretrained.", "Set a share, such as 0.5."
    for words in overruled(facts, max_tokens, settings):
        yield words, "Set it back, or make a release with the new value: freshtune train {task}"


def _tried(shop: Workspace, task: str) -> int:
    """How much had been learned above the live trunk when a refresh of it was last tried in vain; 0 where none was."""
    releases = {each.id: each for each in shop.registry.list(task, _LATEST)}
    live = next((each for each in releases.values() if each.live), None)
    for each in releases.values():  # the newest first
        parent = releases.get(each.parent or "")
        if live and parent and _was_refused(each) and parent.trunk == live.trunk:
            window = window_of(shop.registry, parent.id)
            return window.since_trunk if window else 0
    return 0


def _was_refused(release: ReleaseSummary) -> bool:
    """Whether it is a refresh that the gate did not promote, nor a person."""
    return release.range.since == release.range.upto and release.outcome in ("refused", "undecided", "rolled_back")
