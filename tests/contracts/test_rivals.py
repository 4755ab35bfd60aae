"""Every strategy plays a stream of a tiny shop: it begins, takes in what comes, answers, and says what it cost."""

from pathlib import Path

import numpy as np
import pytest

from freshtune import cycle
from freshtune.cli.replaying import KNOWN
from freshtune.errors import UsageError
from freshtune.model.blocks import TextModel
from freshtune.model.predictor import Input
from freshtune.records import Delta, Example, Release
from freshtune.replay.play import Pace, play
from freshtune.replay.stream import Cutting, Stream, cut
from freshtune.rivals import PADDED, STRATEGIES, Setting
from freshtune.rivals.whole_model import WholeModelStrategy
from freshtune.settings import Settings
from freshtune.tasks import TASKS, Task
from freshtune.tasks.split_key import normalised
from freshtune.workspace import Workspace
from tests.small_shop import backbone, reviews

RECIPE = (
    "model.cut=1",
    "model.taps=[1.0]",
    "learn.adapter={name='top_layers', k=1}",
    "learn.first.learning_rate=0.01",
    "learn.first.epochs=6",
    "learn.fit.learning_rate=0.01",
    "learn.fit.epochs=3",
    "learn.average=[0.7]",
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def stream() -> Stream:
    rows = reviews(0, 500)
    examples = [
        Example(
            str(row["id"]), "sentiment", str(row["text"]), label=str(row["label"]), category=f"c{number % 4}",
            split_key=normalised(str(row["text"])),
        )
        for number, row in enumerate(rows)
    ]  # fmt: skip
    return cut(examples, Cutting(base=2, limit=80, judges=60))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # between peft and transformers
@pytest.mark.parametrize("name", STRATEGIES)
def test_it_plays_a_stream(
    name: str, tiny: Path, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHTUNE_CACHE", str(tmp_path / "cache"))
    task = TASKS["sentiment"]()
    strategy = STRATEGIES[name](Setting(task, str(tiny), 32, 1, 0, tmp_path, 0.3, RECIPE))
    found = play(stream, strategy, task, name)
    assert len(found.update_seconds) == len(found.update_cpu_seconds) == len(found.update_bytes) == 2
    assert found.played == (1, 2)
    assert (found.trained_parameters > 0) == (name != "frozen")
    assert all((size > 0) == (name != "frozen") for size in found.update_bytes)
    assert found.extrapolated == (name == "textbook-retrain")
    if found.extrapolated:
        assert min(found.begin_seconds, *found.update_seconds) > 0
        assert {len(found.scores), len(found.final), len(found.negative_flips)} == {0}
        return
    assert len(found.negative_flips) == 2
    assert [len(row) for row in found.scores] == [1, 2, 3]
    assert len(found.final) == sum(len(part.held_out) for part in stream.increments)
    logits = strategy.predictor.logits([Input("手机 很好 lovely，excellent")])
    assert logits.shape == (1, 2)
    assert np.isfinite(logits).all()
    if name in ("freshtune", "linear", "tfidf-sgd"):
        assert found.scores[-1][0] > 0.6, "what separates is learned"
    if name == "frozen":
        assert set(found.negative_flips) == {0.0}


def test_labels_that_come_late_are_joined_to_their_texts(
    tiny: Path, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHTUNE_CACHE", str(tmp_path / "cache"))
    deltas: list[Delta] = []

    def looked_at(shop: Workspace, task: Task, settings: Settings) -> Release:
        deltas.append(cycle.pending_delta(shop, task, settings))
        return update(shop, task, settings)

    update = cycle.update
    monkeypatch.setattr(cycle, "update", looked_at)
    task = TASKS["sentiment"]()
    strategy = STRATEGIES["freshtune"](Setting(task, str(tiny), 32, 1, 0, tmp_path, 0.3, RECIPE))
    found = play(stream, strategy, task, "freshtune", Pace(label_delay=1))
    assert found.played == (2,)
    assert [len(row) for row in found.scores] == [1, 2, 3]
    delta, (_, second, third) = deltas[0], stream.increments
    assert {row.id: row.label for row in delta.labelled} == {row.id: row.label for row in second.learned}
    assert {row.id for row in delta.held_out} == {row.id for row in second.held_out}
    assert {row.id for row in delta.unlabelled} == {row.id for row in third.learned}


def test_the_help_names_them_all() -> None:
    assert KNOWN.split(", ") == list(STRATEGIES)


@pytest.mark.parametrize("name", ["linear", "tfidf-sgd", "lora-trainer"])
def test_what_knows_classes_alone_says_so(name: str, tiny: Path, tmp_path: Path) -> None:
    for task, words in (("rating", "step of a scale"), ("relevance", "on a scale"), ("attributes", "several names")):
        with pytest.raises(UsageError, match=words):
            STRATEGIES[name](Setting(TASKS[task](), str(tiny), 32, 1, 0, tmp_path, 0.3))


@pytest.mark.parametrize("name", sorted(PADDED))
def test_without_padding_it_takes_the_same_steps(name: str, tiny: Path, stream: Stream, tmp_path: Path) -> None:
    """But for rounding, and for dropout, which is turned off here."""
    task, whole = TASKS["sentiment"](), []
    history, increment, *_ = stream.increments
    for unpadded in (False, True):
        strategy = STRATEGIES[name](Setting(task, str(tiny), 32, 1, 0, tmp_path, 0.3, unpadded=unpadded))
        assert isinstance(strategy, WholeModelStrategy)
        undropped(strategy.predictor.model)
        strategy.begin(history.learned, history.held_out)
        strategy.update(increment.learned, increment.held_out)
        whole.append(strategy.predictor.logits([Input(row.text) for row in increment.held_out]))
    np.testing.assert_allclose(whole[0], whole[1], atol=2e-3)
    assert np.ptp(whole[0]) > 0.05


def undropped(model: TextModel) -> None:
    model.dropout = 0.0
    for block in model.blocks.values():
        block.dropout = 0.0  # type: ignore[assignment]
