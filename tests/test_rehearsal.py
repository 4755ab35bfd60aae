"""What a release hands on: read as it was written, small, and refused where it is damaged."""

import random
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.cycle.rehearsal import Rehearsal, as_kept
from freshtune.errors import IntegrityError
from freshtune.judge.windows import Windows
from freshtune.strata import Standing

names = st.text(min_size=1, max_size=20) | st.sampled_from(["0f" * 16, "0F", "abc", "00", "e\u0301", "评论-1"])
ranks = st.none() | st.floats(0, 2)
rows = st.builds(Standing, names, st.sampled_from(["good", "坏", "soft", ""]), names, st.integers(0, 2**56 - 1), ranks)
sides = st.lists(rows, max_size=8, unique_by=lambda row: row.id).map(tuple)
logits = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=4)


@given(memory=sides, new=sides, old=sides, spoken=st.lists(logits, max_size=8))
def test_it_reads_what_it_wrote(
    memory: tuple[Standing, ...],
    new: tuple[Standing, ...],
    old: tuple[Standing, ...],
    spoken: list[list[float]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "rehearsal.safetensors"
    said = {
        row.id: as_kept(np.array([values], np.float32))[0]
        for row, values in zip(memory, spoken, strict=False)
        if values
    }
    before = Rehearsal(memory, Windows(new, old), said)
    before.write(path)
    assert Rehearsal.read(path) == before
    assert all(np.isfinite(values).all() for values in said.values())


def test_five_thousand_rows_take_less_than_forty_bytes_each(tmp_path: Path) -> None:
    draw = random.Random(0)
    memory = tuple(
        Standing(
            blake2b(str(number).encode(), digest_size=16).hexdigest(),
            ("positive", "negative")[number % 2],
            f"category {number % 10}",
            draw.getrandbits(56),
        )
        for number in range(5_000)
    )
    spoken = as_kept(np.random.default_rng(0).normal(0, 3, (5_000, 2)).astype(np.float32))
    path = tmp_path / "rehearsal.safetensors"
    Rehearsal(memory, Windows(), dict(zip((row.id for row in memory), spoken, strict=True))).write(path)
    assert path.stat().st_size < 40 * len(memory)


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "another file", "a column less"])
def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "rehearsal.safetensors"
    Rehearsal((Standing("a", "good", "", 1),), Windows(), {"a": (1.0, 2.0)}).write(path)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "a column less":
        path.write_bytes(whole.replace(b"stratum", b"stratun"))
    else:
        path.write_bytes({"empty": b"", "cut": whole[:-3], "another file": b'{"memory": []}'}[damage])
    with pytest.raises(IntegrityError, match=r"rehearsal\.safetensors of the release cannot be read"):
        Rehearsal.read(path)
