"""Cells are found again, whole or not at all, whatever they were in the middle of."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from freshtune import record_json
from freshtune.errors import FreshtuneError
from freshtune.replay.cell import Order, write_whole
from freshtune.replay.play import Found
from freshtune.replay.run import at_hand, cell_name, replay
from freshtune.replay.stream import Cutting, Stream, cut
from tests.replay.fakes import stream as tiny
from tests.replay.test_stream import recording

ORDER = Order("tfidf-sgd", "sentiment", {}, "bundled:bert-tiny", 128, 1, 0, 0.3)


def found(name: str) -> Found:
    return Found(name, 1.0, (2.0,), (2.0,), ((1.0,), (1.0, 1.0)), (0.0,), 7, (100,), ())


def both_labels() -> Stream:
    """Enough texts of two labels for words to be counted."""
    rows = [
        replace(row, label=("positive", "negative")[number % 2], text=f"{('good', 'bad')[number % 2]} {row.text}")
        for number, row in enumerate(recording([number // 200 for number in range(1_600)]))
    ]
    return cut(rows, Cutting(base=1))


def test_a_cell_at_hand_is_not_played_again(tmp_path: Path) -> None:
    stream = tiny(2)
    order = replace(ORDER, called="mine", strategy="freshtune")
    write_whole_cell(tmp_path, stream, order, found("mine"))
    told: list[str] = []
    assert replay(tmp_path, stream, [order], told.append) == {"mine": found("mine")}
    assert told == ["mine: at hand"]


def write_whole_cell(folder: Path, stream: Stream, order: Order, what: Found) -> None:
    (folder / "cells").mkdir()
    write_whole(folder / "cells" / f"{cell_name(order, stream)}.json", record_json.dumps(what))


def test_another_question_is_another_cell() -> None:
    stream = tiny(2)
    asked = [
        ORDER, replace(ORDER, seed=1), replace(ORDER, label_delay=1), replace(ORDER, called="mine"),
        replace(ORDER, recipe=("learn.fit.epochs=3",)), replace(ORDER, at=(2,)), replace(ORDER, threads=2),
    ]  # fmt: skip
    names = {cell_name(order, stream) for order in asked} | {cell_name(ORDER, tiny(3))}
    assert len(names) == len(asked) + 1
    assert cell_name(replace(ORDER, label_delay=None), stream) == cell_name(ORDER, stream)


def test_half_a_file_is_no_cell(tmp_path: Path) -> None:
    stream = tiny(2)
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / f"{cell_name(ORDER, stream)}.json.fresh").write_bytes(b'{"strategy": "tf')
    assert at_hand(tmp_path, stream, ORDER) is None


def test_a_cell_that_fails_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    order = replace(ORDER, strategy="linear", backbone=str(tmp_path / "nowhere"))
    with pytest.raises(FreshtuneError, match="linear could not be played"):
        replay(tmp_path, tiny(1), [order])
    assert at_hand(tmp_path, tiny(1), order) is None


def test_what_a_cell_prints_is_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('noise')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert replay(tmp_path, both_labels(), [ORDER])["tfidf-sgd"].final
    told = capfd.readouterr()
    assert "noise" in told.err
    assert told.out == ""


@pytest.mark.real
def test_a_killed_cell_leaves_nothing_half_written_and_is_played_anew(tmp_path: Path) -> None:
    stream = both_labels()
    whole = replay(tmp_path / "whole", stream, [ORDER])["tfidf-sgd"]
    recorded, cell = tmp_path / "stream.json", tmp_path / "cells" / cell_name(ORDER, stream)
    cell.parent.mkdir()
    write_whole(recorded, record_json.dumps(stream))
    write_whole(cell.with_name(f"{cell.name}.order.json"), record_json.dumps(ORDER))
    for lines in (1, 4, 7):
        command = [sys.executable, "-m", "freshtune.replay.cell", str(recorded), str(cell)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr is not None
            for _ in range(lines):
                assert "tfidf-sgd" in running.stderr.readline()
            running.kill()
            assert running.wait() == -signal.SIGKILL
        left = at_hand(tmp_path, stream, ORDER)
        assert left is None or (lines == 7 and left.final == whole.final)
    again = replay(tmp_path, stream, [ORDER])["tfidf-sgd"]
    assert again.final == whole.final
    assert again.scores == whole.scores
