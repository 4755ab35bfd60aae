"""The live model follows the registry, and nothing that is wrong with a release takes the one before it down."""

import gc
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from freshtune.model.predictor import Input
from freshtune.records import Release
from freshtune.serve.live_model import Live, LiveModels, LoadFailure
from freshtune.ship.artefacts import FolderStore
from freshtune.ship.registry import Registry
from tests.serve.tiny_service import TinyPredictor, TinyShop
from tests.serve.waiting import until


class Told:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.swaps: list[tuple[str, str, str | None]] = []
        self.failures: list[LoadFailure] = []
        self.errors: list[Exception] = []

    def swapped(self, task: str, live: Live, old: Live | None) -> None:
        self.swaps.append((task, live.release.id, old.release.id if old else None))

    def failed(self, task: str, failure: LoadFailure) -> None:
        self.failures.append(failure)

    def lost(self, error: Exception) -> None:
        self.errors.append(error)


def _answers(live: LiveModels, release: str) -> bool:
    now = live.current("sentiment")
    return now is not None and now.release.id == release


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def live(shop: TinyShop, told: Told) -> Iterator[LiveModels]:
    """Follows the shop, started by the test itself through ``look`` or ``start``."""
    models = LiveModels(shop.registry, ["sentiment"], shop.open_model, told, poll_seconds=0.05, retry_seconds=0.0)
    yield models
    if models._thread.is_alive():
        models.stop()


def test_it_sees_what_another_process_promotes_within_200_ms(
    shop: TinyShop, live: LiveModels, told: Told, tmp_path: Path
) -> None:
    live.start()
    until(lambda: live.ready)
    assert live.current("sentiment") is None
    releases = [shop.train("sentiment", seed) for seed in range(5)]
    taken = []
    with Registry(tmp_path / "registry.db", FolderStore(tmp_path / "artefacts")) as elsewhere:
        for release in releases:
            elsewhere.promote(release.id, elsewhere.live_id("sentiment"), "test")
            seconds = until(partial(_answers, live, release.id))
            now = live.current("sentiment")
            assert now
            taken.append(seconds - now.loaded_in)
    assert min(taken) < 0.2
    assert [swap[1] for swap in told.swaps] == [release.id for release in releases]


def test_a_damaged_release_leaves_the_old_one_live_and_is_told(
    shop: TinyShop, live: LiveModels, told: Told, tmp_path: Path
) -> None:
    good = shop.train_live("sentiment", 1)
    live.look()
    bad = shop.train_live("sentiment", 2)
    path = shop.registry.load_file(bad, "top.onnx")
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    live.look()
    now, failure = live.current("sentiment"), live.failure("sentiment")
    assert now
    assert failure
    assert (now.release.id, failure.release) == (good.id, bad.id)
    assert live.ready
    assert now.predictor.logits([Input("好")]).shape == (1, 2)
    path.write_bytes(whole)
    live.look()
    assert live.failure("sentiment") is None
    after = live.current("sentiment")
    assert after
    assert after.release.id == bad.id


def test_a_release_that_opens_but_cannot_answer_is_a_failure(shop: TinyShop, told: Told) -> None:
    class Broken(TinyPredictor):
        def _one(self, text: str) -> None:  # type: ignore[override]
            raise RuntimeError("no answer")

    def opened(release: Release) -> TinyPredictor:
        return Broken(shop.registry.load_file(release, "top.onnx"), shop.tasks["sentiment"].head())

    shop.train_live("sentiment", 1)
    models = LiveModels(shop.registry, ["sentiment"], opened, told, 0.05, 60)
    models.look()
    models.look()
    assert models.current("sentiment") is None
    assert not models.ready
    assert len(told.failures) == 1


def test_rollback_returns_and_the_old_model_is_freed(shop: TinyShop, live: LiveModels) -> None:
    first = shop.train_live("sentiment", 1)
    live.look()
    second = shop.train_live("sentiment", 2)
    live.look()
    now = live.current("sentiment")
    assert now
    freed = weakref.ref(now.predictor)
    shop.registry.rollback("sentiment", second.id, "test")
    live.look()
    after = live.current("sentiment")
    assert after
    assert after.release.id == first.id
    assert freed() is not None, "a reader that holds it may finish"
    del now
    gc.collect()
    assert freed() is None


def test_a_registry_that_cannot_be_read_does_not_end_the_watch(shop: TinyShop, told: Told) -> None:
    class Flaky:
        """A registry whose first looks fail."""

        def __init__(self) -> None:
            self.looks = 0

        def __getattr__(self, name: str) -> object:
            return getattr(shop.registry, name)

        def version(self) -> int:
            self.looks += 1
            if self.looks < 3:
                raise OSError("disk")
            return shop.registry.version()

    shop.train_live("sentiment", 1)
    models = LiveModels(Flaky(), ["sentiment"], shop.open_model, told, 0.01, 60)  # type: ignore[arg-type]
    models.start()
    until(lambda: models.current("sentiment") is not None)
    models.stop()
    assert len(told.errors) == 2
    assert models.current("sentiment") is None
