"""The laws of every schedule: it rises, then falls, stays within (0, 1], and says the same each time it is asked."""

import dataclasses
from typing import Any

import pytest

from freshtune.learn.schedules import SCHEDULES, Schedule, scheduled
from freshtune.learn.schedules.constant import Constant
from freshtune.learn.schedules.cosine import Cosine
from freshtune.learn.schedules.linear import Linear
from freshtune.learn.schedules.plateau import Plateau
from freshtune.learn.schedules.rewarm import Rewarm

members = pytest.mark.parametrize("schedule", [member() for member in SCHEDULES.values()], ids=list(SCHEDULES))
LOOKS = (3.0, 2.0, 2.5, 2.5, 1.0, 1.5, 1.5)


@members
def test_its_name_is_its_key_and_its_fields_are_frozen(schedule: Any) -> None:
    assert type(schedule) is SCHEDULES[schedule.name]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(schedule, "name", "another")  # noqa: B010


@members
@pytest.mark.parametrize("total", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("looks", [(), LOOKS], ids=["unseen", "looked"])
def test_it_rises_then_falls_and_never_stands_at_zero(
    schedule: Schedule, total: int, warmup: float, looks: tuple[float, ...]
) -> None:
    factors = [scheduled(schedule, step, total, warmup, looks) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)
    top = factors.index(max(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


@members
def test_the_warm_up_ends_at_its_top(schedule: Schedule) -> None:
    top = 0.5 if isinstance(schedule, Rewarm) else 1.0
    assert scheduled(schedule, 9, 100, 0.1) == top
    assert scheduled(schedule, 4, 100, 0.1) == top / 2


@members
def test_it_says_the_same_again(schedule: Schedule) -> None:
    assert [schedule(step, 7, LOOKS) for step in range(7)] == [schedule(step, 7, list(LOOKS)) for step in range(7)]


def test_linear_is_what_it_was() -> None:
    """Up over the warm-up, then down to 0 in a straight line over all the rest."""
    for total in (1, 2, 7, 100):
        for ratio in (0.0, 0.1, 0.33, 1.0):
            warmup = max(1, round(total * ratio))
            for step in range(total):
                expected = min((step + 1) / warmup, (total - step) / max(1, total - warmup), 1.0)
                assert scheduled(Linear(), step, total, ratio) == expected


def test_where_each_one_ends() -> None:
    ends = [schedule(999, 1000, ()) for schedule in (Constant(), Linear(), Cosine(floor=0.25), Rewarm(0.5, 0.2))]
    assert ends == pytest.approx([1.0, 0.001, 0.25, 0.1], abs=1e-4)
    middle = [schedule(500, 1000, ()) for schedule in (Linear(), Cosine(), Rewarm(0.4, 0.0))]
    assert middle == pytest.approx([0.5, 0.5, 0.2])


def test_a_plateau_is_cut_once_for_each_wait_and_anew_after_a_gain() -> None:
    plateau = Plateau(patience=2, cut=0.1)
    cuts = [round(plateau(0, 9, LOOKS[:seen]), 6) for seen in range(len(LOOKS) + 1)]
    assert cuts == [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01]
    assert Plateau(patience=1, gain=0.5)(0, 9, (1.0, 0.9, 0.8)) == pytest.approx(0.09), "too small a gain is none"
    assert plateau(0, 9, ()) == 1.0, "without development data nothing is cut"
