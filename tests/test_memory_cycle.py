"""Every memory through the whole cycle: what a release hands on, and what it does not."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from freshtune.cycle.rehearsal import Rehearsal
from freshtune.front_door import OpenWorkspace
from freshtune.intake.deltas import collect_delta
from freshtune.learn.memory import MEMORIES
from freshtune.records import Delta, LogRange, Release
from freshtune.ship.bundle import REHEARSAL
from freshtune.ship.verify import verify
from tests.small_shop import REVIEW, close, make_shop, reviews

pytestmark = pytest.mark.usefixtures("own_cache")

HISTORY, DELTA = 400, 120
NO_PAST = (
    "learn.memory={name='none'}",
    "learn.losses=[{name='supervised'}, {name='distillation', remembered=0.0, new=0.5}]",
)


@pytest.fixture
def opened(tmp_path: Path, tiny_backbone: Path) -> Iterator[list[OpenWorkspace]]:
    """Workspaces to close."""
    shops: list[OpenWorkspace] = []
    yield shops
    for shop in shops:
        assert verify(shop.store.registry).whole
        close(shop)


def updated(folder: Path, model: Path, flags: tuple[str, ...]) -> tuple[OpenWorkspace, Release, Release]:
    """A shop with a first release and an update."""
    shop = make_shop(folder, model, flags=flags)
    shop.ingest(reviews(0, HISTORY), REVIEW)
    first = shop.train("sentiment")
    assert first.verdict.promote, first.verdict.reasons
    shop.ingest(reviews(HISTORY, HISTORY + DELTA), REVIEW)
    return shop, first, shop.update("sentiment")


def delta_of(shop: OpenWorkspace) -> Delta:
    """All that was ever ingested, in its sides."""
    task = shop.settings.task("sentiment")
    with closing(shop.store.delta_index(dry=True)) as index:
        within = LogRange(0, shop.store.events.head())
        return collect_delta(shop.store.events, task, within, index, shop.settings.intake.held_out, [])


def handed_on(shop: OpenWorkspace, release: Release) -> Rehearsal:
    return Rehearsal.read(shop.store.registry.load_file(release, REHEARSAL))


@pytest.mark.parametrize("name", [name for name in MEMORIES if name != "none"])
def test_an_update_remembers_and_holds_nothing_that_judges(
    tmp_path: Path, tiny_backbone: Path, opened: list[OpenWorkspace], name: str
) -> None:
    flags = (f"learn.memory={{name='{name}', size=90, mix=0.5, max_mix=1.5}}",)
    shop, first, second = updated(tmp_path / "shop", tiny_backbone, flags)
    opened.append(shop)
    everything = delta_of(shop)
    learned, held_out = ({one.id for one in side} for side in (everything.labelled, everything.held_out))
    for release in (first, second):
        found = handed_on(shop, release)
        kept = {row.id for row in found.memory}
        assert len(kept) == 90
        assert kept <= learned
        assert not kept & held_out
        assert set(found.said) <= kept
        assert {row.rank is None for row in found.memory} == {name not in ("herding", "loss_aware")}
    before, after = (handed_on(shop, release) for release in (first, second))
    assert any(int(row.id[1:]) >= HISTORY for row in after.memory), "what is new is in it"
    assert {row.id for row in after.memory} & {row.id for row in before.memory}
    assert after.said, "what was recalled keeps its logits"
    path = shop.store.registry.load_file(second, REHEARSAL)
    after.write(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_without_memory_an_update_runs_and_a_release_knows_no_text_that_was_learned(
    tmp_path: Path, tiny_backbone: Path, opened: list[OpenWorkspace]
) -> None:
    shop, first, second = updated(tmp_path / "shop", tiny_backbone, NO_PAST)
    opened.append(shop)
    assert second.verdict.promote, second.verdict.reasons
    everything = delta_of(shop)
    assert len(everything.labelled) > 300
    for release in (first, second):
        found = handed_on(shop, release)
        assert (found.memory, found.said) == ((), {})
        files = {name: shop.store.registry.load_file(release, name).read_bytes() for name in release.artefacts}
        for one in everything.labelled:
            for secret in (f'"{one.id}"', one.text):
                assert [name for name, content in files.items() if secret.encode() in content] == []
    outcomes = {outcome.id for card in second.scorecards.values() for outcome in card.outcomes}
    assert not outcomes & {one.id for one in everything.labelled}
    again = shop.ingest(reviews(HISTORY + DELTA, HISTORY + 2 * DELTA), REVIEW)
    assert again.read == DELTA
    assert handed_on(shop, shop.update("sentiment")).memory == (), "and so on"
