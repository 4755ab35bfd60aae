"""The search without a model: the same for a seed, gone on with after a stop, and stopped in time."""

import math
import pickletools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from freshtune.errors import IntegrityError
from freshtune.learn.state import Diverged
from freshtune.settings import LearnSettings
from freshtune.tune.score import Score
from freshtune.tune.space import Space, space_of
from freshtune.tune.study import Limits, Trial, best_of, importances, open_study, search, studies, trials_of

SPACE = space_of(LearnSettings(), 0, ranks=False)
Played = Callable[[LearnSettings], Iterator[Score]]


def score(value: float) -> Score:
    return Score(value, value, value, 0.0, (value, value))


def bowl(recipe: LearnSettings) -> Iterator[Score]:
    """Best at a rate of 3e-3; three increments that agree."""
    assert recipe.fit.learning_rate is not None
    for _ in range(3):
        yield score(1 - abs(math.log10(recipe.fit.learning_rate / 3e-3)))


def run(
    folder: Path,
    trials: int,
    played: Played = bowl,
    seed: int = 0,
    fingerprint: str = "f",
    minutes: float | None = None,
) -> list[Trial]:
    """A study of some trials, from the current recipe on."""
    folder.mkdir(exist_ok=True)
    study, _, last = open_study(folder, fingerprint)
    starts = [SPACE.params(SPACE.current), *([last] if last else [])]
    search(study, SPACE, starts, played, Limits(minutes, trials), seed, lambda _: None, time.monotonic())
    return without_seconds(trials_of(study))


def without_seconds(trials: list[Trial]) -> list[Trial]:
    return [replace(each, seconds=0.0) for each in trials]


def test_a_seed_says_all(tmp_path: Path) -> None:
    one, two, other = (run(tmp_path / name, 14, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert one == two
    assert one != other
    assert len(one) == 14
    assert one[0].params == SPACE.params(SPACE.current)


def test_the_search_finds_what_is_better_and_what_mattered(tmp_path: Path) -> None:
    trials = run(tmp_path, 40)
    best = best_of(trials)
    assert best is not None
    assert best.value > trials[0].value + 0.2
    study, _, _ = open_study(tmp_path, "f")
    mattered = importances(study, 0)
    assert next(iter(mattered)) == "learning_rate"
    assert mattered["learning_rate"] > 0.5
    assert sum(mattered.values()) == pytest.approx(1)


def test_few_trials_say_nothing_of_what_mattered(tmp_path: Path) -> None:
    run(tmp_path, 3)
    assert importances(open_study(tmp_path, "f")[0], 0) == {}


@pytest.mark.parametrize("stop", [1, 4, 11, 20], ids=lambda stop: f"played {stop}")
def test_an_interrupted_search_comes_to_the_same_end(tmp_path: Path, stop: int) -> None:
    whole = run(tmp_path / "whole", 12)
    steps = count(1)

    def interrupted(recipe: LearnSettings) -> Iterator[Score]:
        for each in bowl(recipe):
            if next(steps) == stop:
                raise KeyboardInterrupt
            yield each

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", 12, interrupted)
    kept = without_seconds(trials_of(open_study(tmp_path / "parts", "f")[0]))
    assert kept == whole[: len(kept)]
    assert run(tmp_path / "parts", 12) == whole
    assert len(studies(tmp_path / "parts")) == 1


def test_a_killed_process_leaves_a_study_to_go_on_with(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 6)
    run(tmp_path / "parts", 3)
    study, path, _ = open_study(tmp_path / "parts", "f")
    study.ask(SPACE.distributions())  # a trial that nobody will end
    Path(f"{path}.lock").symlink_to(path)
    with path.open("ab") as file:
        file.write(b'{"op_code": 5, "torn')
    assert run(tmp_path / "parts", 6) == whole


def test_another_question_is_another_study_that_begins_with_the_last_best(tmp_path: Path) -> None:
    best = best_of(run(tmp_path, 8))
    assert best is not None
    later = run(tmp_path, 3, fingerprint="g")
    assert len(studies(tmp_path)) == 2
    assert [each.params for each in later[:2]] == [SPACE.params(SPACE.current), best.params]


def test_an_ended_study_is_not_gone_on_with(tmp_path: Path) -> None:
    run(tmp_path, 3)
    study, path, _ = open_study(tmp_path, "f")
    study.set_user_attr("ended", True)
    _, again, last = open_study(tmp_path, "f")
    assert again != path
    assert last == best_of(trials_of(study)).params  # type: ignore[union-attr]


def test_what_falls_behind_is_stopped_early(tmp_path: Path) -> None:
    trials = run(tmp_path, 20)
    stopped = [each for each in trials if each.state == "pruned"]
    assert stopped
    assert all(each.steps < 3 for each in stopped)
    whole = [each.value for each in trials if each.state == "complete"]
    assert max(each.value for each in stopped) < max(whole)


@pytest.mark.parametrize("bad", ["diverges", "has no score"])
def test_a_bad_point_ends_its_trial_and_not_the_search(tmp_path: Path, bad: str) -> None:
    def played(recipe: LearnSettings) -> Iterator[Score]:
        if recipe == SPACE.recipe(SPACE.params(SPACE.current)):
            yield from bowl(recipe)
        elif bad == "diverges":
            raise Diverged("of step 1", math.inf)
        else:
            yield score(math.nan)

    trials = run(tmp_path, 5, played)
    assert [each.state for each in trials] == ["complete", *["pruned"] * 4]
    assert best_of(trials) == trials[0]


def test_no_trial_begins_after_the_time_and_an_unfinished_one_counts_for_nothing(tmp_path: Path) -> None:
    assert run(tmp_path / "none", 5, minutes=1e-9) == []
    began = count()

    def slow(recipe: LearnSettings) -> Iterator[Score]:
        next(began)
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            yield score(0.5)

    assert run(tmp_path / "slow", 5, slow, minutes=0.1 / 60) == []
    assert next(began) <= 1


def test_a_file_that_is_no_journal_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "0001.jsonl").write_text('{"never": "a study"}\n')
    with pytest.raises(IntegrityError, match=r"0001\.jsonl"):
        open_study(tmp_path, "f")


def test_the_journal_is_json_lines_and_no_pickle(tmp_path: Path) -> None:
    import json

    run(tmp_path, 3)
    (path,) = studies(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["0001.jsonl"]
    lines = path.read_text("utf-8").rstrip("\n").split("\n")
    assert len(lines) > 10
    assert all(isinstance(json.loads(line), dict) for line in lines)
    with pytest.raises(ValueError, match="opcode"):
        list(pickletools.genops(path.read_bytes()))


def test_a_wider_space_takes_the_last_best_only_where_it_has_every_dimension() -> None:
    wide: Space = space_of(LearnSettings(), 2, ranks=False)
    assert wide.near(SPACE.params(SPACE.current)) is None
    assert SPACE.near(wide.params(wide.current)) is not None
