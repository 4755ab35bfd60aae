"""The laws of every memory: bounded, the same whatever the order of arrival, even where it says so, blind to others."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.cycle.rehearsal import Rehearsal, as_kept
from freshtune.judge.windows import Windows
from freshtune.learn.memory import MEMORIES, Memory
from freshtune.learn.memory.balanced import Balanced
from freshtune.learn.memory.budget import row_bytes
from freshtune.learn.memory.evidence import Evidence, distance, likelihoods, margins
from freshtune.learn.memory.herding import Herding, herded
from freshtune.learn.memory.loss_aware import LossAware
from freshtune.learn.memory.none import NoMemory
from freshtune.learn.memory.reservoir import Reservoir
from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.records import Example
from freshtune.strata import Standing, by_hash, standing

LABELS = ("negative", "neutral", "positive")
HEAD = Classes(LABELS)
WIDTH = 6
KEEPING = tuple(name for name in MEMORIES if name != "none")
EVEN = ("balanced", "herding", "loss_aware")
every = pytest.mark.parametrize("name", MEMORIES)
keeping = pytest.mark.parametrize("name", KEEPING)
numbers = st.lists(st.integers(0, 300), max_size=70, unique=True)
sizes = st.integers(0, 50)


def example(number: int) -> Example:
    label = ("positive", "negative", "neutral")[number % 7 % 3]
    category = "书" if number % 5 else "hotel"
    return Example(f"e{number}", "sentiment", f"text {number}", label=label, category=category, split_key=str(number))


def examples(numbers: Sequence[int]) -> list[Example]:
    return [example(number) for number in numbers]


def evidence(numbers: Sequence[int], head: Head = HEAD) -> Evidence:
    """Of each number its own vector and its own logits, however it is met."""

    def rows(width: int, kind: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        drawn = [np.random.default_rng([number, kind]).normal(size=width) * 2 for number in numbers]
        return np.reshape(np.asarray(drawn, np.float32), (len(numbers), width))

    return Evidence(head, lambda: rows(WIDTH, 1) + 1, lambda: rows(head.outputs, 2))


def kept_of(memory: Memory, before: Sequence[Standing], numbers: Sequence[int]) -> tuple[Standing, ...]:
    return memory.keep(before, examples(numbers), evidence(numbers))


def test_every_member_is_under_test() -> None:
    assert set(MEMORIES) == {"balanced", "reservoir", "herding", "loss_aware", "none"}, "sort a new member in above"


@every
def test_its_name_is_its_key_and_its_fields_are_frozen(name: str) -> None:
    memory: Any = MEMORIES[name]()
    assert memory.name == name
    with pytest.raises(dataclasses.FrozenInstanceError):
        memory.name = "another"


@keeping
@given(before=numbers, now=numbers, size=sizes)
def test_it_is_bounded_and_does_not_depend_on_the_order_of_arrival(
    name: str, before: list[int], now: list[int], size: int
) -> None:
    memory: Memory = MEMORIES[name](size=size)  # type: ignore[call-arg]
    now = [number for number in now if number not in before]
    in_turn = kept_of(memory, kept_of(memory, (), before), now)
    assert len(in_turn) == min(size, len(before) + len(now))
    assert len({row.id for row in in_turn}) == len(in_turn)
    assert {row.id for row in in_turn} <= {f"e{number}" for number in (*before, *now)}, "nothing but what was learned"
    assert kept_of(memory, kept_of(memory, (), now), before) == in_turn, "the order of deltas"
    assert kept_of(memory, kept_of(memory, (), before[::-1]), now[::-1]) == in_turn, "the order within one"
    if name != "herding":  # its ranks are places within a delta, so that the cut matters, and it says so
        assert kept_of(memory, (), [*before, *now]) == in_turn, "how the stream is cut"


@keeping
@given(before=numbers, now=numbers, size=sizes)
def test_a_sample_of_a_sample_and_what_came_is_the_sample_of_all(
    name: str, before: list[int], now: list[int], size: int
) -> None:
    small: Memory = MEMORIES[name](size=size)  # type: ignore[call-arg]
    large: Memory = MEMORIES[name](size=1_000)  # type: ignore[call-arg]
    now = [number for number in now if number not in before]
    everything = kept_of(large, kept_of(large, (), before), now)
    assert small.keep(everything, (), None) == kept_of(small, kept_of(small, (), before), now)


@keeping
@given(before=numbers, size=sizes)
def test_without_evidence_it_is_a_fair_choice_and_learning_nothing_changes_nothing(
    name: str, before: list[int], size: int
) -> None:
    memory: Memory = MEMORIES[name](size=size)  # type: ignore[call-arg]
    plain = memory.keep((), examples(before))
    by_the_hash: Memory = Reservoir(size=size) if name == "reservoir" else Balanced(size=size)
    assert plain == by_the_hash.keep((), examples(before))
    kept = kept_of(memory, (), before)
    assert memory.keep(kept, (), evidence([])) == kept == memory.keep(kept[::-1], ())


@pytest.mark.parametrize("name", EVEN)
@given(offered=numbers, size=sizes)
def test_it_is_even_over_the_strata_as_far_as_they_reach(name: str, offered: list[int], size: int) -> None:
    memory: Memory = MEMORIES[name](size=size)  # type: ignore[call-arg]
    there = Counter(standing(one).stratum for one in examples(offered))
    kept = Counter(row.stratum for row in kept_of(memory, (), offered))
    largest = max(kept.values(), default=0)
    assert all(kept[stratum] == count or kept[stratum] >= largest - 1 for stratum, count in there.items())


@keeping
@pytest.mark.parametrize("size", [0, 1, 2, 5, 6])
def test_a_memory_smaller_than_the_classes_is_full_and_repeats_no_stratum(name: str, size: int) -> None:
    offered = list(range(200))
    kept = kept_of(MEMORIES[name](size=size), (), offered)  # type: ignore[call-arg]
    assert len(kept) == size
    assert name == "reservoir" or max(Counter(row.stratum for row in kept).values(), default=0) <= 1


def test_a_reservoir_keeps_the_streams_proportions() -> None:
    offered = [number for number in range(6_000) if number % 5 or number % 10 == 0]
    kept = Counter(row.stratum for row in Reservoir(size=1_000).keep((), examples(offered)))
    there = Counter(standing(one).stratum for one in examples(offered))
    share = 1_000 / len(offered)
    assert all(abs(kept[stratum] - count * share) < 4 * (count * share) ** 0.5 for stratum, count in there.items())


@keeping
@given(offered=numbers, budget=st.integers(0, 4_000))
def test_it_keeps_its_budget_in_bytes_and_fills_it(name: str, offered: list[int], budget: int) -> None:
    memory: Memory = MEMORIES[name](max_bytes=budget)  # type: ignore[call-arg]
    kept = kept_of(memory, (), offered)
    cost = sum(row_bytes(row, HEAD.outputs) for row in kept)
    assert cost <= budget
    whole = kept_of(MEMORIES[name](), (), offered)
    dearest = max((row_bytes(row, HEAD.outputs) for row in whole), default=0)
    assert len(kept) == len(whole) or cost > budget - dearest, "the next row would break it"


FRAME = 1_200
"""Bytes of a release's file beside its rows: the names of its columns and of the strata."""


@keeping
def test_a_row_costs_what_is_said(name: str, tmp_path: Path) -> None:
    """A release's file is as large as its rows are priced, to a few bytes of its frame."""
    offered = list(range(300))
    kept = kept_of(MEMORIES[name](), (), offered)
    said = dict(zip((row.id for row in kept), as_kept(np.full((len(kept), 3), -123.4567, np.float32)), strict=True))
    path = tmp_path / "rehearsal.safetensors"
    Rehearsal(kept, Windows(), said).write(path)
    price = sum(row_bytes(row, 3) for row in kept)
    assert price < path.stat().st_size < price + FRAME
    assert Rehearsal.read(path) == Rehearsal(kept, Windows(), said)
    assert {row.rank is None for row in kept} == {name not in ("herding", "loss_aware")}


def never() -> float:
    raise AssertionError("the distance was asked for")


@every
@given(before=numbers, new=st.integers(0, 50), mix=st.sampled_from([0.0, 0.5, 1.0, 2.0]), far=st.floats(0, 1))
def test_it_recalls_within_its_mix_whatever_the_order(
    name: str, before: list[int], new: int, mix: float, far: float
) -> None:
    kept = tuple(standing(one) for one in examples(before))
    if name == "none":
        assert NoMemory().recall(kept, new, never) == ()
        return
    plain: Memory = MEMORIES[name](mix=mix)  # type: ignore[call-arg]
    recalled = plain.recall(kept, new, never)
    assert len(recalled) == min(len(kept), round(mix * new))
    assert set(recalled) <= set(kept)
    assert recalled == plain.recall(kept[::-1], new, never)
    growing: Memory = MEMORIES[name](mix=mix, max_mix=mix + 1)  # type: ignore[call-arg]
    assert growing.recall(kept, new, lambda: 0.0) == recalled
    counts = [len(growing.recall(kept, new, lambda at=at: at)) for at in sorted((0.0, far, 1.0, 7.0))]  # type: ignore[misc]
    assert counts == sorted(counts)
    assert counts[-1] == min(len(kept), round((mix + 1) * new)), "bounded by max_mix, whatever the distance says"
    assert growing.recall(kept, new, lambda: far)[: len(recalled)] == recalled


def test_what_it_recalls_is_a_fair_sample() -> None:
    kept = Balanced().keep((), examples(range(2_000)))
    recalled = Balanced(mix=1.0).recall(kept, 1_000)
    counts, there = Counter(row.stratum for row in recalled), Counter(row.stratum for row in kept)
    assert all(abs(counts[stratum] - number / 2) < 4 * number**0.5 / 2 for stratum, number in there.items())


@pytest.mark.parametrize("memory", [Balanced(size=0), Balanced(mix=0), NoMemory(), Balanced(max_bytes=0)])
def test_without_memory_nothing_is_remembered(memory: Memory) -> None:
    assert memory.recall(kept_of(memory, (), range(9)), 100) == ()


def test_none_forgets_what_another_memory_kept() -> None:
    assert NoMemory().keep(Balanced().keep((), examples(range(9))), examples([10])) == ()


def test_one_memory_goes_on_where_another_stood() -> None:
    """Rows without a rank stand at a fair place among those that have one."""
    before = Balanced().keep((), examples(range(300)))
    after = kept_of(Herding(size=150), before, range(300, 600))
    old = sum(row.rank is None for row in after)
    assert 50 < old < 100


def test_herding_stands_for_the_mean_better_than_chance() -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(400, 8)).astype(np.float32) + random.normal(size=8).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = herded(vectors, 20)
    assert sorted(order) == list(range(400))
    gap = np.linalg.norm(unit[order[:20]].mean(axis=0) - unit.mean(axis=0))
    chance = [np.linalg.norm(unit[random.permutation(400)[:20]].mean(axis=0) - unit.mean(axis=0)) for _ in range(50)]
    assert gap < min(chance) / 3


def test_herding_of_two_deltas_represents_each_by_its_size() -> None:
    memory, one, two = Herding(size=60), range(0, 3_000, 10), range(1, 1_501, 10)
    kept = kept_of(memory, kept_of(memory, (), one), two)
    first = sum(int(row.id[1:]) % 10 == 0 for row in kept)
    assert 30 <= first <= 50, "300 of one delta, 150 of another"
    single = Herding(size=100)
    rows: tuple[Standing, ...] = ()
    for number in range(400):
        rows = kept_of(single, rows, [number])
    assert rows == tuple(dataclasses.replace(row, rank=rows[place].rank) for place, row in enumerate(rows))
    plain = Balanced(size=100).keep((), examples(range(400)))
    assert {row.id for row in rows} == {row.id for row in plain}, "deltas of one are a fair sample"


def test_loss_aware_keeps_what_is_hard_and_puts_last_what_it_doubts() -> None:
    same = [Example(f"x{place}", "sentiment", "t", label="positive", split_key=str(place)) for place in range(5)]
    logits = np.asarray([[0, 0, 5], [0, 1, 1.2], [8, 0, 0], [2, 0, 0], [0, 0, 1]], np.float32)
    seen = Evidence(HEAD, never, lambda: logits)  # type: ignore[arg-type]
    loss = LossAware(size=3, by="loss").keep((), same, seen)
    assert {row.id for row in loss} == {"x3", "x1", "x4"}, "the surest mistake is doubted, the surest answer easy"
    assert "x2" in {row.id for row in LossAware(size=3, by="loss", doubted=0.0).keep((), same, seen)}
    border = LossAware(size=1).keep((), same, seen)
    assert [row.id for row in border] == ["x1"]
    assert [row.id for row in LossAware(size=5).keep((), same, seen)][-1] in {"x2", "x0"}


EVERY_HEAD: tuple[tuple[Head, Any, Any], ...] = (
    (HEAD, "positive", [0.0, 0.0, 9.0]),
    (Ordinal(1, 5), 5, [9.0, 9.0, 9.0, 9.0]),
    (Score(0, 2), 2.0, [9.0]),
)


@pytest.mark.parametrize(("head", "label", "sure"), EVERY_HEAD, ids=lambda part: getattr(part, "kind", ""))
def test_likelihood_margin_and_distance_lie_between_0_and_1_on_every_head(head: Head, label: Any, sure: Any) -> None:
    one = [Example("a", "t", "text", label=label)]
    right, wrong, unsure = (np.asarray([sure], np.float32) * factor for factor in (1, -1, 0))
    assert likelihoods(head, right, one)[0] > 0.99
    assert likelihoods(head, wrong, one)[0] < 0.02 or head.kind == "classes"
    assert distance(head, right, one) < distance(head, unsure, one) < distance(head, wrong, one) <= 1
    assert margins(head, right)[0] > 0.99
    assert margins(head, unsure)[0] == 0
    huge = np.asarray([sure], np.float32) * 1e30
    assert np.isfinite([*likelihoods(head, huge, one), *likelihoods(head, -huge, one), *margins(head, huge)]).all()
    assert distance(head, right[:0], []) == 0.0


def test_the_order_of_a_fair_sample_is_the_hashs() -> None:
    rows = [standing(one) for one in examples(range(50))]
    assert sorted(rows, key=by_hash) == sorted(rows, key=lambda row: (row.hash, row.id))
