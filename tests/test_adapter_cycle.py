"""Updates by other adapters, end to end: parts that stay, changes as factors, and what becomes of such releases."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from freshtune import front_door
from freshtune.cycle.champion import bundle_of
from freshtune.errors import ConfigurationError, NotFound
from freshtune.front_door import OpenWorkspace
from freshtune.learn.fit import predict
from freshtune.model.predictor import Input
from freshtune.model.trunk_cache import TrunkCache
from freshtune.records import Release
from freshtune.serve.opening import SharedTrunks
from freshtune.ship.bundle import write_top
from freshtune.ship.changes import LONGEST, top_weights
from freshtune.ship.checkout import checkout
from freshtune.ship.compression.none import NoCompression
from freshtune.ship.hub_layout import export_hub
from freshtune.ship.prune import prune
from freshtune.ship.registry import Registry
from freshtune.ship.verify import verify
from tests.small_shop import REVIEW, close, make_shop, reviews

pytestmark = pytest.mark.usefixtures("own_cache")

UNMERGED = {
    "bottleneck": ("{name='bottleneck', size=4, k=1}", "size=8"),
    "prefix": ("{name='prefix', length=2, k=1}", "length=5"),
}
LOW_RANK = {
    "lora": "{name='lora', rank=1, k=1}",
    "adalora": "{name='adalora', rank=2, target_rank=1, k=1}",
    "ia3": "{name='ia3', k=1}",
    "bias_only": "{name='bias_only', k=1}",
    "head_only": "{name='head_only'}",
}
TEXTS = ["手机 很好 lovely，excellent", "shirt awful 讨厌，broken", "lamp comfy brisk"]
WIDE = ("judge.gate.max_old_loss=0.9", "judge.gate.max_nll_rise=90", "judge.gate.max_flips=1.0")


@pytest.fixture
def shop(tmp_path: Path, tiny_backbone: Path) -> Iterator[OpenWorkspace]:
    """With a live release whose layers learned."""
    made = make_shop(tmp_path / "shop", tiny_backbone)
    made.ingest(reviews(0, 400), REVIEW)
    assert made.train("sentiment").verdict.promote
    yield made
    assert verify(made.store.registry).whole, "whatever happened, every release is whole"
    close(made)


def updated(shop: OpenWorkspace, adapter: str, start: int, *flags: str) -> Release:
    """The next release by this adapter, live whatever the gate says of it."""
    shop.ingest(reviews(start, start + 150), REVIEW)
    opened = front_door.open(shop.store.root, [f"learn.adapter={adapter}", "ship.compression={name='none'}", *flags])
    release, registry = opened.update("sentiment"), opened.store.registry
    if not release.verdict.promote:
        live = registry.live_id("sentiment")
        release = registry.promote(release.id, live, "a test", "mechanics, not quality", force=True)
    close(opened)
    return release


def registry_of(shop: OpenWorkspace) -> Registry:
    return shop.store.registry


def served(shop: OpenWorkspace, release: Release) -> list[float]:
    """What the service would say."""
    model = SharedTrunks(registry_of(shop))(release)
    return [float(row[0]) for row in model.logits([Input(text) for text in TEXTS])]


def in_torch(shop: OpenWorkspace, release: Release) -> list[float]:
    """What the weights that the next update starts from say."""
    with TrunkCache(shop.store.cache / "trunk", 10**7) as cache:
        bundle = bundle_of(shop.store, release, shop.settings.model, cache)
        hidden = bundle.trunk.hidden(bundle.tokens.encode([Input(text) for text in TEXTS]))
        return [float(row[0]) for row in predict(bundle.top(), bundle.facts.cut, hidden)]


def weights_of(shop: OpenWorkspace, release: Release) -> dict[str, np.ndarray]:
    return top_weights(registry_of(shop), release.id)


@pytest.mark.parametrize("name", UNMERGED)
def test_parts_that_stay_are_released_served_updated_and_rolled_back(shop: OpenWorkspace, name: str) -> None:
    adapter, other_size = UNMERGED[name]
    first = shop.release_of("sentiment")
    before = set(weights_of(shop, registry_of(shop).get(first)))
    second = updated(shop, adapter, 400)
    parts = set(weights_of(shop, second)) - before
    assert parts
    assert all(f".{name}." in part for part in parts)
    assert served(shop, second) == pytest.approx(in_torch(shop, second), abs=1e-4)
    third = updated(shop, adapter, 550)
    assert third.artefacts["top_template.onnx"] == second.artefacts["top_template.onnx"]
    was, now = weights_of(shop, second), weights_of(shop, third)
    assert was.keys() == now.keys()
    assert any(not np.array_equal(was[part], now[part]) for part in parts), "they learn on"
    assert served(shop, third) == pytest.approx(in_torch(shop, third), abs=1e-4)
    fourth = updated(shop, LOW_RANK["lora"], 700)
    last = weights_of(shop, fourth)
    assert all(np.array_equal(now[part], last[part]) for part in parts), "another adapter leaves them as they are"
    assert served(shop, fourth) == pytest.approx(in_torch(shop, fourth), abs=1e-4)
    with pytest.raises(ConfigurationError, match="does not fit the live release"):
        updated(shop, adapter.replace(adapter.split(", ")[1], other_size), 850)
    assert shop.release_of("sentiment") == fourth.id, "refused before anything is written"
    registry = registry_of(shop)
    for target in (third, second, registry.get(first)):
        registry.rollback("sentiment", registry.live_id("sentiment") or "", "a test")
        assert registry.live_id("sentiment") == target.id
        assert served(shop, target) == pytest.approx(in_torch(shop, target), abs=0.2)


@pytest.mark.parametrize(
    "name", [name if name in ("lora", "ia3") else pytest.param(name, marks=pytest.mark.real) for name in LOW_RANK]
)
def test_what_changed_is_stored_as_factors_and_judged_as_stored(shop: OpenWorkspace, name: str, tmp_path: Path) -> None:
    first = registry_of(shop).get(shop.release_of("sentiment") or "")
    second = updated(shop, LOW_RANK[name], 400)
    files = {file.name: file.size for file in registry_of(shop).stored_files(second.id)}
    whole = {file.name: file.size for file in registry_of(shop).stored_files(first.id)}["top.safetensors"]
    assert "top.safetensors" not in files
    assert files["top_change.safetensors"] <= whole / 4
    stored = load_file(registry_of(shop).load_file(second, "top_change.safetensors"))
    assert {key.rpartition("/")[2] for key in stored if "/" in key} == {
        "lora": {"up", "down"}, "adalora": {"up", "down"}, "ia3": {"rows", "columns"},
    }.get(name, set())  # fmt: skip
    assert served(shop, second) == pytest.approx(in_torch(shop, second), abs=1e-4)
    folder = checkout(registry_of(shop), second.id, tmp_path / "out")
    again = load_file(folder / "top.safetensors")
    assert all(np.array_equal(weight, again[key]) for key, weight in weights_of(shop, second).items())
    weights = {key: torch.from_numpy(weight) for key, weight in again.items()}
    (tmp_path / "rebuilt").mkdir()
    write_top(folder / "top_template.onnx", weights, NoCompression(), tmp_path / "rebuilt")
    assert (tmp_path / "rebuilt" / "top.onnx").read_bytes() == (folder / "top.onnx").read_bytes(), "it need not be sent"
    exported = export_hub(second.id, registry_of(shop), tmp_path / "hub")
    assert load_file(exported / "top.safetensors").keys() == again.keys()
    assert export_hub(second.id, registry_of(shop), exported) == exported, "an export replaces itself"


def test_a_chain_is_rebuilt_kept_by_prune_and_ends(shop: OpenWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freshtune.ship.bundle.LONGEST", 2)
    assert LONGEST >= 8
    registry = registry_of(shop)
    first = shop.release_of("sentiment") or ""
    made = [updated(shop, LOW_RANK["lora"], start) for start in (400, 550, 700, 850)]
    kinds = ["top_change.safetensors" in release.artefacts for release in made]
    assert kinds == [True, True, False, True], "after two in a row the weights are whole again"
    prune(registry, keep=1)
    assert registry.summary(first).pruned
    assert not registry.summary(made[2].id).pruned
    assert verify(registry).whole
    registry.rollback("sentiment", made[3].id, "a test")
    assert verify(registry).whole


def test_the_ancestors_of_a_change_outlive_prune_and_go_with_it(shop: OpenWorkspace) -> None:
    registry = registry_of(shop)
    first = shop.release_of("sentiment") or ""
    made = [updated(shop, LOW_RANK["lora"], start) for start in (400, 550, 700)]
    prune(registry, keep=1)
    assert not any(registry.summary(each).pruned for each in (first, *(release.id for release in made)))
    whole = updated(shop, "{name='top_layers', k=1}", 850)
    assert "top.safetensors" in whole.artefacts
    next_ = updated(shop, "{name='top_layers', k=1}", 1_000)
    prune(registry, keep=1)
    assert {registry.summary(release.id).pruned for release in (*made, registry.get(first))} == {True}
    assert not registry.summary(next_.id).pruned


def test_a_damaged_ancestor_is_found_and_named(shop: OpenWorkspace, tmp_path: Path) -> None:
    first = registry_of(shop).get(shop.release_of("sentiment") or "")
    second = updated(shop, LOW_RANK["lora"], 400)
    path = registry_of(shop).load_file(first, "top.safetensors")
    good = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(good[:-4] + b"\0\0\0\1")
    found = {(damage.release, damage.name) for damage in verify(registry_of(shop)).damaged}
    assert found == {(first.id, "top.safetensors"), (second.id, "top_change.safetensors")}
    path.write_bytes(good)
    assert verify(registry_of(shop)).whole
    folder = checkout(registry_of(shop), second.id, tmp_path)
    weights = (folder / "top.safetensors").read_bytes()
    (folder / "top.safetensors").write_bytes(weights[:-4] + b"\0\0\0\1")
    assert (checkout(registry_of(shop), second.id, tmp_path) / "top.safetensors").read_bytes() == weights


def test_below_the_cut_nothing_is_learned_in_an_update(shop: OpenWorkspace) -> None:
    with pytest.raises(ConfigurationError, match="cached trunk"):
        updated(shop, "{name='bottleneck', k=2}", 400)
    with pytest.raises(NotFound, match="nothing"):
        registry_of(shop).load_file(registry_of(shop).get(shop.release_of("sentiment") or ""), "nothing")
