"""The story: what is new in the log becomes a better model, or is refused with reasons. Read this file first."""

from collections.abc import Collection
from functools import partial

from freshtune.cycle.beginning import begun_with, require_a_beginning
from freshtune.cycle.beside_teacher import beside_teacher
from freshtune.cycle.champion import bundle_of, cores, opened, overruled
from freshtune.cycle.extras import require_extra
from freshtune.cycle.familiarity import brings_classes, distance_from, evidence_of
from freshtune.cycle.gathering import gather, look, quarantined
from freshtune.cycle.interrupted import finish_run, range_of_run, run_of
from freshtune.cycle.publishing import building, publish
from freshtune.cycle.recipe import require_recipe, require_recipe_of_fetched, require_update
from freshtune.cycle.refreshing import nothing_remembered, reason_to_refresh, require_refreshable
from freshtune.cycle.rehearsal import Rehearsal
from freshtune.cycle.stepping import longest_step
from freshtune.cycle.teaching import teacher_of
from freshtune.cycle.trial import judged_first, judged_refresh, scorecards
from freshtune.cycle.waiting import blamed, others_pending, range_to_learn, reason_to_wait
from freshtune.phases import Phases
from freshtune.records import Delta, LogRange, Release
from freshtune.settings import Settings, recipe_digest
from freshtune.ship.bundle import REHEARSAL, files_of
from freshtune.tasks import Task, answering, class_names
from freshtune.workspace import Workspace

__all__ = ["cores", "pending_delta", "reason_to_refresh", "reason_to_wait", "refresh", "train", "update"]


def update(shop: Workspace, task: Task, settings: Settings, phases: Phases | None = None) -> Release:
    """Make the next release of a task from what the log holds and no release has consumed.

    Returns:
        The new release: live where the gate promoted it, else recorded with its reasons. What a refused one learned
        is quarantined; what an undecided one learned waits, and is learned again with what comes next.

    Raises:
        ConfigurationError: the packages that train are not installed.
        NotFound: there is no champion yet, nothing new, or too few new labels: they wait for more.
        Locked: another process is updating this task.
    """
    require_extra("train", "An update")
    settings = settings.of(task.name)
    phases = phases or Phases()
    with building(shop, task, settings.model) as (folder, cache):
        with phases("delta"):
            champion, bundle = opened(shop, task, settings.model, cache)
            require_update(settings.learn, bundle.facts)
            for words in overruled(bundle.facts, bundle.tokens.max_tokens, settings):
                phases.on_remark(words)
            within = range_of_run(shop, task, range_to_learn(shop, task, settings))
            for later in others_pending(shop, task, within):
                phases.on_remark(f"Log {later.since}–{later.upto} is pending too; it takes another update.")
            before = Rehearsal.read(bundle.folder / REHEARSAL)
            far, grows = partial(distance_from, bundle), partial(brings_classes, bundle)
            gathered = gather(shop, task, settings, within, before, far, grows)
            grown = answering(task, class_names(bundle.head), gathered.examples)
            if waits := reason_to_wait(shop, task, settings, gathered.delta):
                finish_run(shop, task)
                raise waits
        with phases("learn"):
            from freshtune.cycle.learning import learn

            run = run_of(shop, task, champion.id, recipe_digest(settings), gathered.to_learn)
            learned = learn(bundle, grown.head(), gathered, settings.learn, settings.judge.labels, run, phases.on_step)
        judged = longest_step(bundle, grown, learned, champion, settings, folder, phases)
        with phases("publish"):
            files = files_of(bundle.folder, folder)
            gathered = blamed(shop, learned.gathered, judged.verdict)
            release = publish(shop, settings, champion, gathered, judged, files)
            finish_run(shop, task)
    return release


def refresh(shop: Workspace, task: Task, settings: Settings, phases: Phases | None = None) -> Release:
    """Make the trunk of the live release again from what is remembered, and a top to it.

    The slower of the two speeds: all layers learn what was learned since by tops alone. Nothing of the log is consumed,
    and the gate decides as it does about an update. :func:`reason_to_refresh` says when it is due.

    Raises:
        ConfigurationError: the packages that train are not installed, or the trunk is none that is tuned.
        NotFound: there is no live release, or it remembers nothing.
        Locked: another process is updating this task.
    """
    require_extra("train", "A refresh")
    settings = settings.of(task.name)
    require_recipe(settings)
    phases = phases or Phases()
    with building(shop, task, settings.model) as (folder, cache):
        with phases("delta"):
            champion, bundle = opened(shop, task, settings.model, cache)
            require_refreshable(task, settings, bundle.facts, bundle.tokens.max_tokens)
            here = shop.registry.watermark(task.name)
            nothing_new = range_of_run(shop, task, LogRange(here, here))
            before = Rehearsal.read(bundle.folder / REHEARSAL)
            gathered = gather(shop, task, settings, nothing_new, before, all_of_it=lambda _: True)
            if not gathered.remembered:
                raise nothing_remembered(task)
            grown = answering(task, class_names(bundle.head))
        with phases("learn"):
            from freshtune.cycle.first import first_model

            require_recipe_of_fetched(settings)
            run = run_of(shop, task, champion.id, recipe_digest(settings), gathered.to_learn)
            fresh = first_model(grown, settings, gathered, run, folder, cache, phases.on_step)
            gathered = gathered.with_all_that_was_said()
        with phases("judge"):
            judged = judged_refresh(fresh, bundle, grown, gathered.held_out, champion.scorecards, settings.judge.gate)
        with phases("publish"):
            release = publish(shop, settings, champion, gathered, judged, files_of(folder))
            finish_run(shop, task)
    return release


def train(shop: Workspace, task: Task, settings: Settings, phases: Phases | None = None) -> Release:
    """Make a release of a task from its whole history and the pretrained weights.

    The first one is held against the majority class and TF-IDF, a later one against the live release too.

    Raises:
        ConfigurationError: the packages that train are not installed.
        UsageError: fewer than 50 labels, fewer than two classes on a side of the split, or none held out.
        Locked: another process is updating this task.
    """
    require_extra("train", "Training")
    settings = settings.of(task.name)
    require_recipe(settings)
    phases = phases or Phases()
    with building(shop, task, settings.model) as (folder, cache):
        with phases("delta"):
            champion = shop.registry.live(task.name)
            teacher = teacher_of(shop, task, settings, cache)
            within = range_of_run(shop, task, LogRange(0, shop.events.head()))
            for part in quarantined(shop, task):
                phases.on_remark(
                    f"Log {part.since}–{part.upto} is in quarantine and left out; "
                    f"freshtune update {task.name} --include {part.since}:{part.upto} brings it back."
                )
            gathered = gather(shop, task, settings, within, Rehearsal())
            incumbent = None if champion is None else bundle_of(shop, champion, settings.model, cache).predictor()
            grown = begun_with(task, incumbent, gathered.examples)
            require_a_beginning(gathered, grown)
        with phases("learn"):
            from freshtune.cycle.first import first_model

            require_recipe_of_fetched(settings)
            start = f"{settings.model.backbone}\0{teacher.release}" if teacher else settings.model.backbone
            run = run_of(shop, task, start, recipe_digest(settings), gathered.to_learn)
            bundle = first_model(grown, settings, gathered, run, folder, cache, phases.on_step, teacher)
            seen = evidence_of(bundle, gathered.delta.labelled)
            gathered = gathered.remembering(settings.learn.memory, seen)
        with phases("judge"):
            ours = scorecards(bundle.predictor(), grown, gathered.held_out)
            judged = judged_first(ours, grown, gathered, incumbent, settings.judge.gate)
            if teacher:
                judged = beside_teacher(judged, bundle, teacher, grown, gathered.held_out)
        with phases("publish"):
            release = publish(shop, settings, champion, gathered, judged, files_of(folder))
            finish_run(shop, task)
    return release


def pending_delta(shop: Workspace, task: Task, settings: Settings, lifted: Collection[str] = ()) -> Delta:
    """What the next update would learn; writes nothing.

    Args:
        lifted: releases whose quarantine is thought away, as ``include`` would lift it.

    Raises:
        NotFound: every event is consumed.
    """
    return look(shop, task, settings, range_to_learn(shop, task, settings, lifted), lifted)
