"""The cache never changes an answer, stays within its budget, and survives crashes and company."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.errors import ConfigurationError
from freshtune.model.onnx_model import Floats, Ids
from freshtune.model.trunk_cache import CachedTrunk, TrunkCache, cache_key

WIDTH = 4
TEXTS = [np.array([number, 7, 9], np.int32) for number in range(40)]
ENTRY_BYTES = 3 * WIDTH * 2


class CountingTrunk:
    """Hidden states that are a plain function of the ids, and how many were computed."""

    def __init__(self, digest: str = "a" * 64) -> None:
        self.digest, self.computed = digest, 0

    def hidden(self, ids: Sequence[Ids]) -> list[Floats]:
        self.computed += len(ids)
        return [np.repeat(text[:, None] / 3, WIDTH, axis=1).astype(np.float32) for text in ids]


def test_a_text_is_computed_once_and_is_the_same_ever_after(tmp_path: Path) -> None:
    first, second = CountingTrunk(), CountingTrunk()
    with TrunkCache(tmp_path) as cache:
        answers = CachedTrunk(first, cache, batch=7).hidden([*TEXTS, TEXTS[0]])
    with TrunkCache(tmp_path) as cache:
        again = CachedTrunk(second, cache).hidden([*TEXTS, TEXTS[0]])
        assert cache.size == len(TEXTS) * ENTRY_BYTES
    assert (first.computed, second.computed) == (len(TEXTS), 0)
    assert all(np.array_equal(a, b) for a, b in zip(answers, again, strict=True))
    assert np.allclose(np.concatenate(answers), np.concatenate(first.hidden([*TEXTS, TEXTS[0]])), rtol=1e-3)


def test_another_trunk_or_other_ids_are_another_entry() -> None:
    keys = {cache_key(digest, ids) for digest in ("a" * 64, "b" * 64) for ids in TEXTS}
    assert len(keys) == 2 * len(TEXTS)
    assert cache_key("a", np.array([1, 2], np.int64).astype(np.int32)) == cache_key("a", np.array([1, 2], np.int32))


def test_the_oldest_goes_first_and_the_budget_holds(tmp_path: Path) -> None:
    budget = 20 * ENTRY_BYTES
    with TrunkCache(tmp_path, budget) as cache:
        trunk = CountingTrunk()
        CachedTrunk(trunk, cache, batch=1).hidden(TEXTS)
        assert 0 < cache.size <= budget
        assert sum(path.stat().st_size for path in tmp_path.glob("*.f16")) == cache.size
        keys = [cache_key(trunk.digest, text) for text in TEXTS]
        kept = [key in cache.get(keys) for key in keys]
        assert kept == sorted(kept), "what is kept is the newest"
        assert sum(kept) == cache.size // ENTRY_BYTES


def test_what_a_run_has_pinned_stays_also_after_a_restart(tmp_path: Path) -> None:
    budget = 20 * ENTRY_BYTES
    trunk = CountingTrunk()
    mine = [cache_key(trunk.digest, text) for text in TEXTS[:10]]
    with TrunkCache(tmp_path, budget) as cache:
        cache.pin("run")
        CachedTrunk(trunk, cache, batch=1).hidden(TEXTS[:10])
    with TrunkCache(tmp_path, budget) as cache:
        CachedTrunk(trunk, cache, batch=1).hidden(TEXTS[10:])
        assert len(cache.get(mine)) == 10
        cache.unpin("run")
        CachedTrunk(trunk, cache, batch=1).hidden([np.array([number], np.int32) for number in range(100, 190)])
        assert cache.get(mine) == {}


def test_a_budget_full_of_pins_stores_nothing_more_but_still_answers(tmp_path: Path) -> None:
    with TrunkCache(tmp_path, 5 * ENTRY_BYTES) as cache:
        cache.pin("run")
        answers = CachedTrunk(CountingTrunk(), cache, batch=1).hidden(TEXTS)
        assert cache.size <= 5 * ENTRY_BYTES
    assert len(answers) == len(TEXTS)


@pytest.mark.parametrize("harm", ["deleted", "shortened", "stray"])
def test_lost_bytes_are_computed_again(tmp_path: Path, harm: str) -> None:
    with TrunkCache(tmp_path) as cache:
        expected = CachedTrunk(CountingTrunk(), cache).hidden(TEXTS)
    shard = next(tmp_path.glob("*.f16"))
    if harm == "deleted":
        shard.unlink()
    elif harm == "shortened":
        shard.write_bytes(shard.read_bytes()[:-10])
    else:
        (tmp_path / "stray.f16").write_bytes(b"written, never named")
    with TrunkCache(tmp_path) as cache:
        trunk = CountingTrunk()
        for _ in range(2):
            answers = CachedTrunk(trunk, cache).hidden(TEXTS)
            assert all(np.array_equal(a, b) for a, b in zip(answers, expected, strict=True))
        assert trunk.computed == (0 if harm == "stray" else len(TEXTS))
    assert not (tmp_path / "stray.f16").exists()


def test_numbers_beyond_float16_are_held_at_its_end(tmp_path: Path) -> None:
    class Loud(CountingTrunk):
        def hidden(self, ids: Sequence[Ids]) -> list[Floats]:
            return [np.full((len(text), WIDTH), 1e9, np.float32) for text in ids]

    with TrunkCache(tmp_path) as cache:
        assert np.isfinite(CachedTrunk(Loud(), cache).hidden(TEXTS[:1])[0]).all()


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.model.test_trunk_cache import *\n"
        "with TrunkCache(Path(sys.argv[1]), 30 * ENTRY_BYTES) as cache:\n"
        "    for turn in range(6):\n"
        "        trunk = CountingTrunk()\n"
        "        answers = CachedTrunk(trunk, cache, batch=3).hidden(TEXTS)\n"
        "        assert all(np.allclose(a, b, rtol=1e-3) for a, b in zip(answers, trunk.hidden(TEXTS), strict=True))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    with TrunkCache(tmp_path, 30 * ENTRY_BYTES) as cache:
        assert cache.size <= 30 * ENTRY_BYTES


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=5), max_size=8), st.integers(1, 400))
def test_any_order_of_questions_and_any_budget_gives_the_trunks_answers(
    tmp_path_factory: pytest.TempPathFactory, asked: list[list[int]], budget: int
) -> None:
    with TrunkCache(tmp_path_factory.mktemp("cache"), budget) as cache:
        for numbers in asked:
            ids = [np.array([number] * (1 + number % 3), np.int32) for number in numbers]
            answers = CachedTrunk(CountingTrunk(), cache, batch=2).hidden(ids)
            for text, answer in zip(ids, answers, strict=True):
                assert np.allclose(answer, np.repeat(text[:, None] / 3, WIDTH, axis=1), rtol=1e-3)
            assert cache.size <= budget


def test_a_budget_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="0 bytes"):
        TrunkCache(tmp_path, 0)
