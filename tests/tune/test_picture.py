"""The picture: whole, true to its numbers, and safe from what a name holds."""

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from freshtune.tune.picture import drawn, write_picture
from freshtune.tune.study import Trial

SVG = "{http://www.w3.org/2000/svg}"


def trial(number: int, value: float, state: str = "complete") -> Trial:
    steps = 3 if state == "complete" else 1
    return Trial(number, state, value, value, value, steps, 1.0, {"epochs": 3})  # type: ignore[arg-type]


TRIALS = (trial(0, 0.9), trial(1, 0.8), trial(2, 0.95, "pruned"), trial(3, 0.93), trial(4, math.nan, "pruned"))


def test_every_trial_is_a_point_and_every_share_a_bar() -> None:
    root = ElementTree.fromstring(drawn("sentiment", TRIALS, {"learning_rate": 0.7, "a<b": 0.3}))
    points = root.findall(f"{SVG}circle")
    assert [each.get("class") for each in points] == ["trial", "trial", "pruned", "winner", "pruned"]
    heights = [float(each.get("cy", "nan")) for each in points]
    assert heights[3] < heights[0] < heights[1] <= heights[2] == heights[4]
    bars = [float(each.get("width", "0")) for each in root.findall(f"{SVG}rect") if each.get("class") == "bar"]
    assert bars[1] / bars[0] - 0.3 / 0.7 < 0.01
    words = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
    assert "70%" in words
    assert "a<b" in words


def test_one_trial_and_equal_trials_are_drawn() -> None:
    for trials in ((trial(0, 0.5),), (trial(0, 0.5), trial(1, 0.5))):
        root = ElementTree.fromstring(drawn("sentiment", trials, {}))
        assert len(root.findall(f"{SVG}circle")) == len(trials)
        assert "nan" not in drawn("sentiment", trials, {})


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "0001.svg", "sentiment", TRIALS, {})
    write_picture(path, "sentiment", TRIALS[:1], {})
    assert path.read_text("utf-8") == drawn("sentiment", TRIALS[:1], {})
    assert [each.name for each in tmp_path.iterdir()] == ["0001.svg"]
