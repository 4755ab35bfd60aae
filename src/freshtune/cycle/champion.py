"""What an update starts from: the live release, its files, and the part of the log that nobody has consumed."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from freshtune.errors import ConfigurationError, NotFound
from freshtune.learn.fit import threads
from freshtune.model.families import tapped_layers
from freshtune.model.trunk_cache import TrunkCache
from freshtune.records import LogRange, Release
from freshtune.settings import ModelSettings, Settings
from freshtune.ship.bundle import Bundle, ModelFacts, open_bundle
from freshtune.ship.checkout import checkout
from freshtune.ship.consumption import lifting, unconsumed
from freshtune.tasks import Growing, Task, answering, class_names
from freshtune.workspace import Workspace

_GIGABYTE = 10**9


def live(shop: Workspace, task: Task) -> Release:
    """The release that answers now; NotFound where there is none."""
    champion = shop.registry.live(task.name)
    if champion is None:
        raise NotFound(
            f"{task.name} has no live release yet.",
            "An update starts from one.",
            f"Make it: freshtune train {task.name}",
        )
    return champion


def bundle_of(shop: Workspace, release: Release, settings: ModelSettings, cache: TrunkCache) -> Bundle:
    """A release's verified files, open, its trunk's outputs cached."""
    return open_bundle(checkout(shop.registry, release.id, shop.checkouts), cache, cores(settings))


def opened(shop: Workspace, task: Task, settings: ModelSettings, cache: TrunkCache) -> tuple[Release, Bundle]:
    """The live release and its files, open to go on from.

    Raises:
        NotFound: there is none.
        ConfigurationError: the task answers with other labels, or on another scale, than it.
    """
    champion = live(shop, task)
    bundle = bundle_of(shop, champion, settings, cache)
    require_same_head(task, bundle)
    return champion, bundle


def cut_of(settings: Settings, layers: int) -> int:
    """Layers of the trunk of a model that has so many in all.

    Raises:
        ConfigurationError: the head would read a layer that lies inside the trunk.
    """
    wanted = settings.model.cut
    if wanted is None:
        wanted = settings.learn.adapter.lowest_trained(layers)
    cut = min(layers, wanted if wanted >= 0 else max(0, layers + wanted))
    read = tapped_layers(settings.model.taps, layers) or (layers,)
    if read[0] < cut < layers:
        raise ConfigurationError(
            f"The head cannot read layer {read[0]} of {layers}.",
            f"The trunk ends at layer {cut}, and what is below is seen by the trunk alone.",
            "Leave out taps below the cut, or let the head alone learn: learn.adapter.name = head_only.",
        )
    return cut


def overruled(facts: ModelFacts, max_tokens: int, settings: Settings) -> Iterator[str]:
    """In a sentence each: settings that say something else than the champion, whose trunk an update keeps.

    Args:
        facts, max_tokens: the champion's.
    """
    model, layers = settings.model, facts.layers
    fixed = {
        "backbone": (model.backbone, facts.backbone),
        "max_tokens": (model.max_tokens, max_tokens),
        "taps": (tapped_layers(model.taps, layers) or (layers,), facts.taps),
    }
    if model.cut is not None:
        fixed["cut"] = cut_of(settings, layers), facts.cut
    if facts.teacher:  # a student's own is named beside its teacher, not in the settings of the whole workspace
        del fixed["backbone"]
    for name, (wanted, kept) in fixed.items():
        if wanted != kept:
            yield (
                f"model.{name} is {wanted}, the live release was trained with {kept} and an update keeps that; "
                "freshtune train makes a release with the new value."
            )


@contextmanager
def trunk_cache(shop: Workspace, task: Task, settings: ModelSettings, act: str = "") -> Iterator[TrunkCache]:
    """The workspace's cache; what a run reads stays until the run has ended, also where it is interrupted.

    Args:
        act: tells runs of a task apart that may go on at the same time.
    """
    run = f"{act}{task.name}"
    most = max(1, int(settings.cache_gigabytes * _GIGABYTE))  # 0 keeps nothing once the run has ended
    with TrunkCache(shop.cache / "trunk", most) as cache:
        cache.pin(run)
        yield cache
        cache.unpin(run)


def cores(settings: ModelSettings) -> int:
    """Threads to use."""
    return settings.threads or threads()


def pending_ranges(shop: Workspace, task: Task, lifted: Collection[str] = ()) -> tuple[LogRange, ...]:
    """The log ranges that no release has consumed, from the earliest; NotFound where there is none.

    Args:
        lifted: releases whose quarantine is thought away.
    """
    ranges = unconsumed(lifting(shop.registry.consumed(task.name), lifted), shop.events.head())
    if not ranges:
        raise nothing_new(task, "Every event of the log is consumed.")
    return ranges


def require_same_head(task: Task, bundle: Bundle) -> None:
    """Refuse to go on from a model that answers with other labels, or on another scale, than the task has now.

    Where the task's classes may grow, more of them are no other labels.

    Raises:
        ConfigurationError: says what it had and what it has.
    """
    now = answering(task, class_names(bundle.head)).head()
    kept = class_names(now)[: bundle.head.outputs] == class_names(bundle.head)
    if now != bundle.head and not (isinstance(task, Growing) and kept):
        raise ConfigurationError(
            f"What {task.name} answers has changed since its live release.",
            f"The release answers as {bundle.head}, the settings say {now}.",
            f"Take the old labels back, or begin anew from all history: freshtune train {task.name}",
        )


def nothing_new(task: Task, why: str) -> NotFound:
    """There is nothing to learn."""
    return NotFound(
        f"There is nothing new for {task.name}.", why, "Send labelled events: freshtune ingest, or POST /v1/events."
    )
