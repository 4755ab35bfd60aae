"""What the registry promises: one live release, decided on what the caller saw; nothing learned twice or lost."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from freshtune.errors import IntegrityError, NotFound, UsageError
from freshtune.records import LogRange
from freshtune.ship.consumption import Consumed
from freshtune.ship.registry import Conflict, Refused, Registry
from freshtune.ship.update_lock import Locked
from tests.ship.drafts import draft, files, open_registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(tmp_path) as opened:
        yield opened


def publish(registry: Registry, folder: Path, name: str, upto: int, parent: str | None = None) -> str:
    """Record and promote a release that follows its parent."""
    since = registry.summary(parent).range.upto if parent else 0
    release = registry.record(draft(parent, since, upto), files(folder, name))
    registry.promote(release.id, registry.live_id("sentiment"), "test")
    return release.id


def test_a_recorded_release_is_read_back_whole(registry: Registry, tmp_path: Path) -> None:
    made = draft()
    release = registry.record(made, files(tmp_path, "首发"))
    assert registry.get(release.id) == release
    assert (release.scorecards, release.verdict, release.created) == (made.scorecards, made.verdict, made.created)
    assert set(release.artefacts) == {
        "trunk.onnx", "top.onnx", "model.json", "scorecards.json", "verdict.json", "manifest.json"
    }  # fmt: skip
    assert registry.load_file(release, "top.onnx").read_bytes() == "首发".encode() * 20
    told = orjson.loads(registry.load_file(release, "manifest.json").read_bytes())
    assert told["artefacts"] == {name: digest for name, digest in release.artefacts.items() if name != "manifest.json"}
    assert release.id.startswith("sentiment-")
    assert len(release.id) == len("sentiment-") + 12


def test_recording_does_not_promote(registry: Registry, tmp_path: Path) -> None:
    registry.record(draft(), files(tmp_path, "a"))
    assert registry.live("sentiment") is None
    assert registry.consumed("sentiment") == ()
    assert registry.watermark("sentiment") == 0


def test_the_same_content_is_one_release(registry: Registry, tmp_path: Path) -> None:
    first = registry.record(draft(), files(tmp_path, "a"))
    again = registry.record(draft(), files(tmp_path, "a"))
    other = registry.record(draft(upto=101), files(tmp_path, "a"))
    assert first == again
    assert first.id != other.id
    assert len(registry.list()) == 2


def test_a_good_range_is_consumed_when_promoted_a_bad_one_when_recorded(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    refused = registry.record(draft(first, 100, 200, promote=False), files(tmp_path, "poisoned"))
    assert registry.consumed("sentiment") == (
        Consumed(LogRange(0, 100), "promoted", first),
        Consumed(LogRange(100, 200), "refused", refused.id),
    )
    assert registry.watermark("sentiment") == 200
    assert registry.pending("sentiment", 250) == (LogRange(200, 250),)
    assert registry.summary(refused.id).reasons == ("old fell by 3.0 points 旧数据下降",)
    clean = registry.record(draft(first, 200, 250), files(tmp_path, "clean"))
    assert registry.promote(clean.id, first, "test").id == registry.live_id("sentiment") == clean.id
    assert registry.pending("sentiment", 250) == ()


def test_promote_is_refused_when_another_is_live_by_now(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    second = registry.record(draft(first, 100, 200), files(tmp_path, "b"))
    third = publish(registry, tmp_path, "c", 210, first)
    with pytest.raises(Conflict) as caught:
        registry.promote(second.id, first, "test")
    assert first in str(caught.value)
    assert third in str(caught.value)
    assert registry.live_id("sentiment") == third
    with pytest.raises(Conflict, match="nothing"):
        registry.promote(second.id, None, "test")


def test_a_refused_release_needs_force_and_a_reason(registry: Registry, tmp_path: Path) -> None:
    release = registry.record(draft(promote=False), files(tmp_path, "a"))
    with pytest.raises(Refused, match="旧数据下降"):
        registry.promote(release.id, None, "小王")
    with pytest.raises(UsageError, match="reason"):
        registry.promote(release.id, None, "小王", force=True)
    assert registry.live_id("sentiment") is None
    forced = registry.promote(release.id, None, "小王", "节日活动", force=True)
    assert (forced.forced_by, forced.forced_why) == ("小王", "节日活动")
    assert registry.history("sentiment")[0].forced
    assert registry.consumed("sentiment")[0].outcome == "promoted"


def test_force_on_a_good_release_is_not_recorded_as_overruling(registry: Registry, tmp_path: Path) -> None:
    release = registry.record(draft(), files(tmp_path, "a"))
    assert registry.promote(release.id, None, "me", "why", force=True).forced_by is None


def test_rollback_goes_down_the_history_and_quarantines(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    second = publish(registry, tmp_path, "b", 200, first)
    third = publish(registry, tmp_path, "c", 300, second)
    assert registry.rollback("sentiment", third, "me", "客户投诉").id == second
    assert registry.rollback("sentiment", second, "me").id == first
    with pytest.raises(NotFound, match="nothing was live before"):
        registry.rollback("sentiment", first, "me")
    assert [part.outcome for part in registry.consumed("sentiment")] == ["promoted", "rolled_back", "rolled_back"]
    assert registry.watermark("sentiment") == 300
    steps = registry.history("sentiment")
    assert [step.action for step in steps] == ["promote"] * 3 + ["rollback"] * 2
    assert (steps[3].release, steps[3].replaced, steps[3].by, steps[3].why) == (second, third, "me", "客户投诉")
    assert abs((datetime.now(UTC) - steps[-1].time).total_seconds()) < 60


def test_rollback_is_refused_when_another_is_live_by_now(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    second = publish(registry, tmp_path, "b", 200, first)
    with pytest.raises(Conflict, match=second):
        registry.rollback("sentiment", first, "me")
    with pytest.raises(NotFound, match="no release of rating"):
        registry.rollback("rating", first, "me")


def test_rollback_across_a_trunk_needs_force(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    refreshed = registry.record(draft(first, 100, 200, trunk="u" * 64), files(tmp_path, "b", trunk="other"))
    registry.promote(refreshed.id, first, "me")
    with pytest.raises(Refused, match="trunk") as caught:
        registry.rollback("sentiment", refreshed.id, "me")
    assert "--force" in caught.value.mend
    assert registry.live_id("sentiment") == refreshed.id
    assert registry.rollback("sentiment", refreshed.id, "me", force=True).id == first


def test_promoting_an_older_release_again_makes_its_successors_range_pending(
    registry: Registry, tmp_path: Path
) -> None:
    first = publish(registry, tmp_path, "a", 100)
    second = publish(registry, tmp_path, "b", 200, first)
    registry.promote(first, second, "me", "go back, learn again")
    assert registry.pending("sentiment", 200) == (LogRange(100, 200),)
    assert registry.watermark("sentiment") == 200
    registry.promote(second, first, "me")
    assert registry.pending("sentiment", 200) == ()


def test_include_brings_a_quarantined_range_back(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    refused = registry.record(draft(first, 100, 200, promote=False), files(tmp_path, "b"))
    with pytest.raises(NotFound, match="no quarantined range"):
        registry.include("sentiment", LogRange(0, 150))
    assert registry.include("sentiment", LogRange(100, 200)) == (Consumed(LogRange(100, 200), "refused", refused.id),)
    assert registry.pending("sentiment", 220) == (LogRange(100, 220),)
    assert registry.watermark("sentiment") == 200
    registry.record(draft(first, 100, 200, promote=False), files(tmp_path, "b"))
    assert registry.pending("sentiment", 220) == (LogRange(200, 220),)


def test_a_prefix_is_enough_when_it_is_unique(registry: Registry, tmp_path: Path) -> None:
    one = registry.record(draft(), files(tmp_path, "a"))
    registry.record(draft(), files(tmp_path, "b"))
    assert registry.get(one.id[:-1]).id == one.id
    with pytest.raises(NotFound, match="several"):
        registry.get("sentiment-")
    with pytest.raises(NotFound, match="no release"):
        registry.get("sentiment_")
    with pytest.raises(NotFound):
        registry.get("%")


def test_tasks_do_not_touch_each_other(registry: Registry, tmp_path: Path) -> None:
    sentiment = publish(registry, tmp_path, "a", 100)
    rating = registry.record(draft(task="rating"), files(tmp_path, "a"))
    registry.promote(rating.id, None, "me")
    assert (registry.live_id("sentiment"), registry.live_id("rating")) == (sentiment, rating.id)
    assert [summary.id for summary in registry.list("rating")] == [rating.id]
    assert [summary.live for summary in registry.list()] == [True, True]
    with pytest.raises(UsageError, match="same task"):
        registry.record(draft(sentiment, task="rating"), files(tmp_path, "b"))


@pytest.mark.parametrize(
    "name", ["../top.onnx", "a/b.json", "model.pkl", "weights.bin", ".json", "verdict.json", "run.py"]
)
def test_only_plain_data_files_enter(registry: Registry, tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    with pytest.raises(UsageError):
        registry.record(draft(), {name: source})
    assert registry.list() == ()


def test_a_damaged_release_is_not_promoted(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    second = registry.record(draft(first, 100, 200), files(tmp_path, "b"))
    path = registry.load_file(second, "top.onnx")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        registry.promote(second.id, first, "me")
    assert registry.live_id("sentiment") == first


def test_another_process_sees_a_change(registry: Registry, tmp_path: Path) -> None:
    with open_registry(tmp_path) as other:
        before = other.version()
        assert before == registry.version() == other.version()
        release = registry.record(draft(), files(tmp_path, "a"))
        recorded = other.version()
        registry.promote(release.id, None, "me")
        assert before < recorded < other.version() == registry.version()
        assert other.live_id("sentiment") == release.id


def test_a_failed_change_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    release = registry.record(draft(), files(tmp_path, "a"))
    before = registry.version()
    with pytest.raises(Conflict):
        registry.promote(release.id, "sentiment-000000000000", "me")
    assert (registry.version(), registry.history("sentiment")) == (before, ())


def test_of_many_promotions_at_once_one_wins(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    rivals = [registry.record(draft(first, 100, 200), files(tmp_path, f"r{n}")).id for n in range(6)]
    outcomes: list[str] = []

    def race(rival: str) -> None:
        with open_registry(tmp_path) as mine:
            try:
                mine.promote(rival, first, "me")
                outcomes.append(rival)
            except Conflict:
                pass

    threads = [threading.Thread(target=race, args=(rival,)) for rival in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    assert registry.live_id("sentiment") == outcomes[0]
    assert len(registry.history("sentiment")) == 2


def test_one_registry_serves_many_threads(registry: Registry, tmp_path: Path) -> None:
    first = publish(registry, tmp_path, "a", 100)
    second = registry.record(draft(first, 100, 200), files(tmp_path, "b")).id
    done, seen = threading.Event(), []

    def watch() -> None:
        last = 0
        while not done.is_set():
            version, live = registry.version(), registry.live("sentiment")
            seen.append(version >= last and live is not None and live.id in (first, second))
            last = version

    threads = [threading.Thread(target=watch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        registry.promote(second, first, "me")
        registry.promote(first, second, "me")
    done.set()
    for thread in threads:
        thread.join()
    assert len(seen) >= 4
    assert all(seen)


def test_the_update_lock_names_its_holder(registry: Registry, tmp_path: Path) -> None:
    with open_registry(tmp_path) as other, registry.lock("sentiment"):
        with pytest.raises(Locked, match=str(os.getpid())), other.lock("sentiment"):
            pass
        with other.lock("rating"):
            pass
    with registry.lock("sentiment"):
        pass
    with pytest.raises(UsageError), registry.lock("../x"):
        pass
