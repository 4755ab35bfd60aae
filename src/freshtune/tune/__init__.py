"""``freshtune tune``: which recipe learns this task's deltas best? A search over trials, each of some updates.

What judges is the training side alone; what the gate looks at is never looked at here. A trial starts from a model of
the history, learns the latest deltas one after another as updates do, and is judged on training-side examples that no
trial learns: what is new right after it was learned, and what is old at the end. The best recipe must then beat the
current one on other such examples, which the search has not looked at.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from freshtune.cycle.champion import bundle_of, live, require_same_head, trunk_cache
from freshtune.cycle.extras import require_extra
from freshtune.errors import NotFound, UsageError
from freshtune.judge.metrics import METRICS
from freshtune.phases import Phases
from freshtune.records import Release
from freshtune.settings import LearnSettings, Settings, recipe_digest
from freshtune.settings_files import write_recipe
from freshtune.ship.bundle import Bundle
from freshtune.ship.update_lock import Locked, update_lock
from freshtune.tasks import Task
from freshtune.tune.course import Course, course_of
from freshtune.tune.material import JUDGES, Material, Side, material_of
from freshtune.tune.picture import write_picture
from freshtune.tune.play import play
from freshtune.tune.score import Judge, Score
from freshtune.tune.space import Params, Space, space_of
from freshtune.tune.study import Limits, Trial, best_of, importances, open_study, search, trials_of
from freshtune.workspace import Workspace

__all__ = ["Limits", "Trial", "Tuning", "tune"]

_MOST_HISTORY = {True: 2_000, False: 1_000}
"""Examples of the history that are learned at most, by whether a head alone learns: what keeps a trial to seconds."""
_VERSION = 1
"""Of what a trial's value means; a study of another one is not gone on with."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best recipe and the current one, on what the search has not looked at.

    Attributes:
        gain: in value.
        error: its standard error; a gain must be larger.
    """

    current: Score
    best: Score
    gain: float
    error: float

    @property
    def better(self) -> bool:
        """Whether the best recipe is shown to be better, by the rule of one standard error."""
        return self.gain > self.error


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a tuning came to.

    Attributes:
        judges: on either side of what judges: examples that are new, and old.
        trials: all that came to an end.
        best: the one with the highest value.
        changed: what the best recipe has in the place of the current one's, plain values.
        comparison: None where the best recipe is the current one.
        mattered: dimension → share of the difference between trials; empty after few trials.
        written: the file that the recipe was written into; None where it was not.
        picture: what mattered, and the trials in time.
    """

    task: str
    metric: str
    judges: Mapping[Side, tuple[int, int]]
    trials: tuple[Trial, ...]
    best: Trial
    changed: dict[str, object]
    comparison: Comparison | None
    mattered: dict[str, float]
    written: Path | None
    picture: Path


def tune(
    shop: Workspace,
    task: Task,
    settings: Settings,
    limits: Limits,
    seed: int = 0,
    phases: Phases | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Tuning:
    """Search for a better recipe, and write it into the workspace if it is one.

    The first trial is the current recipe, the second the best one of the last tuning. What an interrupted search has
    tried is kept: the same call goes on with it.

    Raises:
        ConfigurationError: the packages that tune are not installed.
        UsageError: no limit or one of nothing, or too little data.
        NotFound: there is no champion yet, or no trial came to its end in the time.
        Locked: another process is tuning this task.
    """
    require_extra("train", "A tuning")
    require_extra("tune", "A tuning")
    _require_limits(limits)
    began, phases, settings = time.monotonic(), phases or Phases(), settings.of(task.name)
    champion = live(shop, task)
    with (
        _alone(shop, task) as folder,
        trunk_cache(shop, task, settings.model, "tune ") as cache,
        TemporaryDirectory(prefix="freshtune-tune-") as name,
    ):
        with phases("prepare"):
            bundle = bundle_of(shop, champion, settings.model, cache)
            require_same_head(task, bundle)
            material = material_of(shop, task, settings, _MOST_HISTORY[bundle.facts.cut == bundle.facts.layers])
            course = course_of(task, settings, bundle, material, Path(name))
        space = _space(task, settings, bundle)
        study, path, last = open_study(folder, _fingerprint(champion, settings, material, seed))
        with phases("search"):
            try:
                played = _played(course, Judge(task, settings.judge.gate))
                search(study, space, _starts(space, last), played, limits, seed, on_trial, began)
            except KeyboardInterrupt:
                phases.on_remark(f"{len(trials_of(study))} trials are kept; the same command goes on with them.")
                raise
        trials = tuple(trials_of(study))
        best = _require_best(trials, limits)
        recipe = space.recipe(best.params)
        with phases("confirm"):
            compared = None if recipe == space.current else _compared(course, settings, recipe)
        mattered = importances(study, seed)
        picture = write_picture(path.with_suffix(".svg"), task.name, trials, mattered)
        written = None
        if compared is not None and compared.better:
            written = write_recipe(shop.root, task.name, space.written(recipe))
        study.set_user_attr("ended", True)
    judges = {side: material.judges(side) for side in JUDGES}
    changed = _changed(space, recipe)
    return Tuning(task.name, task.metrics[0], judges, trials, best, changed, compared, mattered, written, picture)


def _require_limits(limits: Limits) -> None:
    if limits.minutes is None and limits.trials is None:
        raise UsageError("A tuning needs a limit.", "Without one it would not end.", "Give it minutes, trials or both.")
    if any(limit is not None and not limit > 0 for limit in (limits.minutes, limits.trials)):
        raise UsageError(
            "A tuning of nothing finds nothing.", "Its limit is 0.", "Give it minutes, or 1 trial or more."
        )


@contextmanager
def _alone(shop: Workspace, task: Task) -> Iterator[Path]:
    """The folder of a task's studies, held against other tunings; updates go on beside it."""
    folder = shop.tuning_folder(task.name)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(update_lock(folder, task.name))
        except Locked:
            raise Locked(
                f"{task.name} is being tuned already.", "Two tunings would write one study.", "Wait for the other one."
            ) from None
        yield folder


def _space(task: Task, settings: Settings, bundle: Bundle) -> Space:
    above = bundle.facts.layers - bundle.facts.cut
    ranks = METRICS[task.metrics[0]].unit == "query"
    return space_of(settings.learn, above, ranks, settings.model.cut is not None)


def _starts(space: Space, last: Params | None) -> list[Params]:
    """The current recipe, and the best one of the last tuning where it is another."""
    current = space.params(space.current)
    near = None if last is None else space.near(last)
    return [current] if near is None or near == current else [current, near]


def _fingerprint(champion: Release, settings: Settings, material: Material, seed: int) -> str:
    digest = hashlib.sha256(f"{_VERSION}\0{champion.id}\0{recipe_digest(settings)}\0{seed}".encode())
    for example in material.examples:
        digest.update(orjson.dumps([example.id, example.label]))
    return digest.hexdigest()


def _played(course: Course, judge: Judge) -> Callable[[LearnSettings], Iterator[Score]]:
    def scores(recipe: LearnSettings) -> Iterator[Score]:
        stages = []
        for stage in play(course, recipe, "search"):
            stages.append(stage)
            yield judge.score(stages)

    return scores


def _compared(course: Course, settings: Settings, recipe: LearnSettings) -> Comparison:
    judge = Judge(course.task, settings.judge.gate)
    theirs, ours = (list(play(course, each, "confirm")) for each in (settings.learn, recipe))
    current, best = judge.score(theirs), judge.score(ours)
    return Comparison(current, best, best.value - current.value, judge.error(ours[-1], theirs[-1]))


def _require_best(trials: tuple[Trial, ...], limits: Limits) -> Trial:
    best = best_of(trials)
    if best is None:
        raise NotFound(
            "No trial came to its end.",
            f"{len(trials)} were begun and stopped early or had no score, within {limits.minutes or 'any'} minutes.",
            "Give it more minutes; what was tried is kept.",
        )
    return best


def _changed(space: Space, recipe: LearnSettings) -> dict[str, object]:
    before, after = space.written(space.current), space.written(recipe)
    return {key: value for key, value in after.items() if before.get(key) != value}
