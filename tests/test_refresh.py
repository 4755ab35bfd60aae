"""The trunk refresh: when it is due, what it learns, what it leaves alone, and who refuses it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from freshtune import front_door, record_json
from freshtune.cli import app
from freshtune.cycle.rehearsal import Rehearsal
from freshtune.errors import ConfigurationError, NotFound
from freshtune.front_door import OpenWorkspace
from freshtune.records import LogRange, Release
from freshtune.ship.bundle import REHEARSAL
from freshtune.ship.model_card import DATA_WINDOW, DataWindow
from freshtune.ship.prune import prune
from freshtune.ship.registry import Refused
from freshtune.ship.update_lock import Locked
from freshtune.ship.verify import verify
from tests.small_shop import ASKED, REVIEW, asked, close, make_shop, reviews

pytestmark = pytest.mark.usefixtures("own_cache")

HISTORY, DELTA = 320, 200
OLD = ("refund", "delivery", "sizes")
TUNED = (
    "model.cut=2", "model.taps=[0.5, 1.0]", "learn.adapter={name='head_only'}", "learn.average=[1.0]",
    "learn.memory.mix=50", "learn.first.epochs=30", "learn.fit.epochs=20", "judge.gate.max_old_loss=0.2",
    "learn.trunk={share=0.5, refresh=2.0, fit={epochs=2, learning_rate=0.003}}",
)  # fmt: skip
PAST_THE_GATE = ("judge.gate.max_old_loss=1.0", "judge.gate.max_negative_flips=1.0", "judge.gate.max_nll_rise=9.0")
Opened = Callable[..., OpenWorkspace]


@pytest.fixture
def trained(tmp_path: Path, tiny_backbone: Path) -> Iterator[Opened]:
    """A shop with a first release of sentiment, whose trunk was tuned; opened again with other flags where asked."""
    opened: list[OpenWorkspace] = []

    def with_flags(*flags: str) -> OpenWorkspace:
        folder = tmp_path / "shop"
        if opened:
            shop = front_door.open(folder, (*TUNED, *flags))
        else:
            shop = make_shop(folder, tiny_backbone, flags=(*TUNED, *flags))
            shop.ingest(reviews(0, HISTORY), REVIEW)
            assert shop.train("sentiment").verdict.promote
        opened.append(shop)
        return shop

    yield with_flags
    for shop in opened:
        assert verify(shop.store.registry).whole
        close(shop)


def updated(shop: OpenWorkspace, times: int = 1) -> Release:
    """The last of some updates, each promoted."""
    for _ in range(times):
        start = shop.store.events.head()
        shop.ingest(reviews(start, start + DELTA), REVIEW)
        release = shop.update("sentiment")
        assert release.verdict.promote, release.verdict.reasons
    return release


def window_of(shop: OpenWorkspace, release: Release) -> DataWindow:
    return record_json.loads(DataWindow, shop.store.registry.load_file(release, DATA_WINDOW).read_bytes())


def memory_of(shop: OpenWorkspace, release: Release) -> set[str]:
    rows = Rehearsal.read(shop.store.registry.load_file(release, REHEARSAL)).memory
    return {row.id for row in rows}


def test_it_is_due_once_as_much_has_been_learned_as_was_known(trained: Opened) -> None:
    shop = trained()
    assert shop.reason_to_refresh("sentiment") is None
    updated(shop)
    assert shop.reason_to_refresh("sentiment") is None, "200 since, of some 256"
    updated(shop)
    why = shop.reason_to_refresh("sentiment")
    assert why is not None
    assert "learned since" in why


@pytest.mark.parametrize(("times", "due"), [("0", False), ("1.5", True), ("9", False)])
def test_how_many_times_as_much_is_a_setting(trained: Opened, times: str, due: bool) -> None:
    shop = trained(f"learn.trunk.refresh={times}")
    updated(shop)
    assert (shop.reason_to_refresh("sentiment") is not None) is due


def test_a_refresh_is_a_release_on_another_trunk_that_takes_nothing_from_the_log(trained: Opened) -> None:
    shop = trained(*PAST_THE_GATE)
    champion = updated(shop, 2)
    waiting = shop.store.events.head()
    shop.ingest(reviews(waiting, waiting + DELTA), REVIEW)
    release = shop.refresh("sentiment")
    assert release.parent == champion.id
    assert release.trunk != champion.trunk
    assert release.range == LogRange(waiting, waiting)
    assert shop.pending("sentiment").range == LogRange(waiting, waiting + DELTA), "what waits still waits"
    assert memory_of(shop, release) == memory_of(shop, champion)
    told = window_of(shop, release)
    assert (told.labelled, told.remembered) == (0, len(memory_of(shop, champion)))
    assert {"new", "old", "champion/new", "champion/old"} == set(release.scorecards)
    judged = {outcome.id for card in release.scorecards.values() for outcome in card.outcomes}
    assert not judged & memory_of(shop, release)
    assert list(shop.store.run_folder("sentiment").iterdir()) == [], "nothing is left of the run"


def test_updates_go_on_above_the_new_trunk_and_it_is_due_again_later(trained: Opened) -> None:
    shop = trained(*PAST_THE_GATE)
    updated(shop, 2)
    fresh = shop.refresh("sentiment")
    assert fresh.verdict.promote, fresh.verdict.reasons
    assert shop.reason_to_refresh("sentiment") is None
    later = updated(shop)
    assert later.trunk == fresh.trunk
    assert shop.reason_to_refresh("sentiment") is None, "200 since, of some 570"


def test_one_that_was_refused_changes_nothing_and_is_not_tried_again_at_once(trained: Opened) -> None:
    shop = trained()
    champion = updated(shop, 2)
    strict = trained("judge.gate.max_bytes_ratio=0.5")
    refused = strict.refresh("sentiment")
    assert not refused.verdict.promote
    assert shop.release_of("sentiment") == champion.id
    assert shop.reason_to_refresh("sentiment") is None
    with pytest.raises(NotFound, match="nothing new"):
        shop.update("sentiment")
    with pytest.raises(NotFound, match=r"no quarantined range|Nothing is in quarantine"):
        shop.include("sentiment", 0, shop.store.events.head())
    assert updated(shop).parent == champion.id


def test_the_same_memory_gives_the_same_trunk(trained: Opened) -> None:
    shop = trained(*PAST_THE_GATE)
    updated(shop)
    strict = trained("judge.gate.max_bytes_ratio=0.5")
    first, second = strict.refresh("sentiment"), strict.refresh("sentiment")
    assert first.id == second.id


@pytest.mark.parametrize(
    ("flag", "why"),
    [("learn.trunk.share=0", "stays as it was pretrained"), ("learn.adapt.on=true", "reads the shop's texts first")],
)
def test_what_gives_no_other_trunk_is_refused_and_never_due(trained: Opened, flag: str, why: str) -> None:
    updated(trained(), 2)
    shop = trained(flag)
    assert shop.reason_to_refresh("sentiment") is None
    with pytest.raises(ConfigurationError, match=why):
        shop.refresh("sentiment")


def test_without_a_release_or_a_memory_there_is_nothing_to_refresh(tmp_path: Path, tiny_backbone: Path) -> None:
    shop = make_shop(tmp_path / "empty", tiny_backbone, flags=(*TUNED, "learn.memory={name='none'}"))
    with pytest.raises(NotFound, match="no live release"):
        shop.refresh("sentiment")
    shop.ingest(reviews(0, HISTORY), REVIEW)
    assert shop.train("sentiment").verdict.promote
    assert shop.reason_to_refresh("sentiment") is None
    with pytest.raises(NotFound, match="Nothing is remembered"):
        shop.refresh("sentiment")
    close(shop)


def test_an_update_from_the_command_line_is_followed_by_a_refresh_that_is_due(trained: Opened, tmp_path: Path) -> None:
    shop = trained(*PAST_THE_GATE)
    start = shop.store.events.head()
    shop.ingest(reviews(start, start + DELTA), REVIEW)
    flags = [word for flag in (*TUNED, *PAST_THE_GATE, "learn.trunk.refresh=1.5") for word in ("--set", flag)]
    asked = ["update", "sentiment", "-w", str(tmp_path / "shop"), "--json", *flags]
    ran = CliRunner().invoke(app, asked)
    assert ran.exit_code == 0, ran.output
    told = orjson.loads(ran.stdout)
    assert told["refresh"]["parent"] == told["id"]
    assert shop.release_of("sentiment") == told["refresh"]["id"]


@pytest.mark.real
@pytest.mark.parametrize(
    "fault",
    ["fit:after_checkpoint:2", "checkpoint:between_renames:9", "artefact:rename:2", "record:row", "promote:row"],
)
def test_a_killed_refresh_is_made_good_by_the_next(trained: Opened, tmp_path: Path, fault: str) -> None:
    eager = [f"learn.{part}.checkpoint_seconds=0" for part in ("first", "trunk.fit")]
    shop = trained(*PAST_THE_GATE, *eager)
    updated(shop)
    shutil.copytree(tmp_path / "shop", tmp_path / "killed")
    whole = shop.refresh("sentiment")
    assert whole.verdict.promote, whole.verdict.reasons
    flags = [word for flag in (*TUNED, *PAST_THE_GATE, *eager) for word in ("--set", flag)]
    ran = subprocess.run(
        [sys.executable, "-m", "freshtune", "refresh", "sentiment", "-w", str(tmp_path / "killed"), *flags],
        env=os.environ | {"FRESHTUNE_FAULT": fault, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == -signal.SIGKILL, f"{fault} was not reached"
    again = front_door.open(tmp_path / "killed", (*TUNED, *PAST_THE_GATE, *eager))
    assert again.refresh("sentiment").id == whole.id
    assert verify(again.store.registry).whole
    assert list(again.store.run_folder("sentiment").iterdir()) == []
    close(again)


def test_counts_of_the_trunk_outlive_pruning_and_other_attempts(trained: Opened) -> None:
    shop = trained()
    updated(shop, 2)
    assert shop.reason_to_refresh("sentiment") is not None
    kept_back = trained("learn.first.learning_rate=1e-9").train("sentiment")
    assert not kept_back.verdict.promote
    assert shop.reason_to_refresh("sentiment") is not None, "a training that is not live resets nothing"
    updated(shop)
    prune(shop.store.registry, 1, grace=0)
    assert shop.reason_to_refresh("sentiment") is not None


@pytest.mark.parametrize("flag", ["model.max_tokens=24", "model.taps=[1.0]"])
def test_settings_that_the_live_release_was_not_made_with_do_not_come_in_by_a_refresh(
    trained: Opened, flag: str
) -> None:
    updated(trained(), 2)
    shop = trained(flag)
    assert shop.reason_to_refresh("sentiment") is None
    with pytest.raises(ConfigurationError, match="the live release was trained with"):
        shop.refresh("sentiment")


@pytest.mark.parametrize("mix", [0.0, 0.5])
def test_all_that_is_remembered_is_learned_however_little_an_update_mixes_in(trained: Opened, mix: float) -> None:
    shop = trained(*PAST_THE_GATE)
    champion = updated(shop)
    release = trained(*PAST_THE_GATE, f"learn.memory.mix={mix}").refresh("sentiment")
    assert window_of(shop, release).remembered == len(memory_of(shop, champion))


def test_a_rollback_across_a_refresh_is_forced_and_undoes_it_alone(trained: Opened) -> None:
    shop = trained(*PAST_THE_GATE)
    champion = updated(shop, 2)
    fresh = shop.refresh("sentiment")
    assert fresh.verdict.promote, fresh.verdict.reasons
    registry = shop.store.registry
    with pytest.raises(Refused, match="another trunk"):
        registry.rollback("sentiment", fresh.id, "test")
    assert registry.rollback("sentiment", fresh.id, "test", force=True).id == champion.id
    assert registry.pending("sentiment", shop.store.events.head()) == ()
    assert {part.outcome for part in registry.consumed("sentiment")} == {"promoted"}
    assert shop.reason_to_refresh("sentiment") is None, "it was tried"
    assert updated(shop).parent == champion.id


def test_a_refresh_that_fails_takes_nothing_from_the_update_before_it(
    trained: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> Release:
        raise Locked("sentiment is being updated.", "By another process.")

    shop = trained(*PAST_THE_GATE)
    start = shop.store.events.head()
    shop.ingest(reviews(start, start + DELTA), REVIEW)
    monkeypatch.setattr(OpenWorkspace, "refresh", locked)
    flags = [word for flag in (*TUNED, *PAST_THE_GATE, "learn.trunk.refresh=1.5") for word in ("--set", flag)]
    ran = CliRunner().invoke(app, ["update", "sentiment", "-w", str(tmp_path / "shop"), "--json", *flags])
    assert ran.exit_code == 0, ran.output
    told = orjson.loads(ran.stdout)
    assert told["promote"]
    assert told["refresh"] == {"error": "sentiment is being updated."}
    assert shop.release_of("sentiment") == told["id"]


@pytest.mark.parametrize("value", ["0.5", "1"])
def test_a_ratio_that_is_always_reached_is_refused(trained: Opened, value: str) -> None:
    with pytest.raises(ConfigurationError, match="followed by a refresh"):
        trained(f"learn.trunk.refresh={value}")


def test_classes_that_came_by_updates_are_the_refreshed_head_s_too(tmp_path: Path, tiny_backbone: Path) -> None:
    flags = (*TUNED, *PAST_THE_GATE, "judge.gate.max_taken=1.0", "model.units=0", "model.words=0")
    shop = make_shop(tmp_path / "asked", tiny_backbone, ("intent",), flags)
    shop.ingest(asked(0, 300, OLD), ASKED)
    assert shop.train("intent").verdict.promote
    shop.ingest(asked(300, 600), ASKED)
    grown = shop.update("intent")
    assert grown.verdict.promote, grown.verdict.reasons
    fresh = shop.refresh("intent")
    assert fresh.verdict.promote, fresh.verdict.reasons
    assert {answer["label"] for answer in shop.predict("intent", ["台灯 lamp lamp", "shirt 衣服 shirt"])} == {
        "lamps",
        "sizes",
    }
    close(shop)
