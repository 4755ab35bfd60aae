"""The search itself: Optuna proposes points, and every one that was tried stays in a journal of JSON lines.

A tuning is one study in one file. The sampler is seeded for every trial by the seed and the number of trials before it,
so that a study that was interrupted and is gone on with comes to the same end as one that was not.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from freshtune.errors import ConfigurationError, IntegrityError
from freshtune.learn.state import Diverged
from freshtune.tune.score import Score
from freshtune.tune.space import Params, Space, Value

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

    from freshtune.settings import LearnSettings

_NAME = "tuning"
_AT_RANDOM = 10
"""Trials before the sampler models what it has seen."""
_BEFORE_PRUNING = 4
"""Whole trials before one that falls behind their median is stopped."""
ENOUGH_TO_WEIGH = 10
"""Whole trials from which on it is said what mattered."""

State = Literal["complete", "pruned"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe that was tried.

    Attributes:
        value: see ``Score.value``; of a pruned one as far as it came, NaN where it diverged.
        fresh, old: as the task's metric shows them.
        steps: increments that it learned.
    """

    number: int
    state: State
    value: float
    fresh: float
    old: float
    steps: int
    seconds: float
    params: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Limits:
    """When a search ends: at whichever comes first.

    Attributes:
        minutes: of the clock, from the beginning of the tuning on; None does not look at it.
        trials: of one study, those of an interrupted one included; None counts none.
    """

    minutes: float | None = None
    trials: int | None = None


def studies(folder: Path) -> list[Path]:
    """The journals of a task, from the earliest."""
    return sorted(folder.glob("[0-9][0-9][0-9][0-9].jsonl"))


def open_study(folder: Path, fingerprint: str) -> "tuple[Study, Path, Params | None]":
    """The interrupted study of the same question, else a new one.

    Args:
        folder: of the task's studies; the caller holds its lock.
        fingerprint: digest of everything that a trial's value depends on.

    Returns:
        The study, its file, and the best point of the last tuning before it, if there is one.

    Raises:
        IntegrityError: a journal cannot be read.
    """
    paths = studies(folder)
    last = _opened(paths[-1]) if paths else None
    if last is not None and last.user_attrs.get("fingerprint") == fingerprint and not last.user_attrs.get("ended"):
        before = _opened(paths[-2]) if len(paths) > 1 else None
        return last, paths[-1], None if before is None else _best_params(before)
    path = folder / f"{int(paths[-1].stem) + 1 if paths else 1:04d}.jsonl"
    study = _opened(path)
    study.set_user_attr("fingerprint", fingerprint)
    return study, path, None if last is None else _best_params(last)


def _opened(path: Path) -> "Study":
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _mend(path)
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_PRUNING, n_warmup_steps=0)
        return optuna.create_study(
            storage=storage, study_name=_NAME, pruner=pruner, direction="maximize", load_if_exists=True
        )
    except (ValueError, KeyError, AssertionError) as error:
        raise IntegrityError(
            f"{path} is no journal of a tuning.", str(error), "Delete it: the next tuning begins without it."
        ) from None


def _mend(path: Path) -> None:
    """Take away what a killed process left: its lock, for the task's own is what counts, and half a line."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    if path.exists():
        whole = path.read_bytes().rfind(b"\n") + 1
        os.truncate(path, whole)


def search(
    study: "Study",
    space: Space,
    starts: Sequence[Params],
    played: "Callable[[LearnSettings], Iterator[Score]]",
    limits: Limits,
    seed: int,
    on_trial: Callable[[Trial], None],
    began: float,
) -> None:
    """Try points until a limit is reached.

    Args:
        starts: the first points.
        played: gives a recipe's score after each increment.
        on_trial: told after each trial.
        began: when the tuning began, by ``time.monotonic``.
    """
    import optuna

    ends = math.inf if limits.minutes is None else began + 60 * limits.minutes
    distributions = space.distributions()
    for left in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        study.tell(left.number, state=optuna.trial.TrialState.FAIL)
    while (done := len(trials_of(study))) < (limits.trials or math.inf) and time.monotonic() < ends:
        study.sampler = optuna.samplers.TPESampler(seed=seed * 1_000_003 + done, n_startup_trials=_AT_RANDOM)
        if done < len(starts):
            study.enqueue_trial(dict(starts[done]))
        asked = study.ask(distributions)
        if not _tried(study, asked, space.recipe(asked.params), played, ends):
            return
        on_trial(trials_of(study)[-1])


def _tried(
    study: "Study",
    asked: "Asked",
    recipe: "LearnSettings",
    played: "Callable[[LearnSettings], Iterator[Score]]",
    ends: float,
) -> bool:
    """Try one recipe; False where the time was over before it was."""
    from optuna.trial import TrialState

    started, state = time.monotonic(), TrialState.FAIL
    try:
        state = _played_through(asked, played(recipe), ends)
    except (Diverged, ConfigurationError) as error:  # a bad point, and known as one from now on
        asked.set_user_attr("failed", error.what)
        state = TrialState.PRUNED
    finally:
        asked.set_user_attr("seconds", round(time.monotonic() - started, 3))
        value = asked.user_attrs.get("value") if state == TrialState.COMPLETE else None
        study.tell(asked, value, state=state)
    return state != TrialState.FAIL


def _played_through(asked: "Asked", scores: Iterator[Score], ends: float) -> Any:
    """The state that a trial ends in, its scores reported one by one."""
    from optuna.trial import TrialState

    for step, score in enumerate(scores):
        if math.isnan(score.value):
            return TrialState.PRUNED
        asked.report(score.value, step)
        asked.set_user_attr("value", score.value)
        asked.set_user_attr("shown", list(score.shown))
        if asked.should_prune():
            return TrialState.PRUNED
        if time.monotonic() >= ends:
            return TrialState.FAIL
    return TrialState.COMPLETE


def trials_of(study: "Study") -> list[Trial]:
    """The trials that came to an end, in order, numbered from 0."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])
    return [_trial(number, each) for number, each in enumerate(ended)]


def _trial(number: int, each: "FrozenTrial") -> Trial:
    from optuna.trial import TrialState

    fresh, old = each.user_attrs.get("shown", (math.nan, math.nan))
    return Trial(
        number=number,
        state="complete" if each.state == TrialState.COMPLETE else "pruned",
        value=float(each.user_attrs.get("value", math.nan)),
        fresh=float(fresh),
        old=float(old),
        steps=len(each.intermediate_values),
        seconds=float(each.user_attrs.get("seconds", 0.0)),
        params=dict(each.params),
    )


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The best one that was played to the end; of equals the first."""
    whole = [each for each in trials if each.state == "complete"]
    return max(whole, key=lambda each: (each.value, -each.number), default=None)


def importances(study: "Study", seed: int) -> dict[str, float]:
    """How much of the difference between recipes each dimension makes, the most first; sums to 1.

    Nothing where fewer than ten trials were played to the end. Source: Hutter et al., *An efficient approach for
    assessing hyperparameter importance*, 2014 (functional analysis of variance over a forest of trees).
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    whole = [each for each in trials_of(study) if each.state == "complete"]
    if len(whole) < ENOUGH_TO_WEIGH or len({each.value for each in whole}) < 2:
        return {}
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
    return {name: float(share) for name, share in found.items()}


def _best_params(study: "Study") -> Params | None:
    best = best_of(trials_of(study))
    return None if best is None else best.params
