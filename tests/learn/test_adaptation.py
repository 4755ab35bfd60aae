"""Adapting without labels: what learns and what stays, finite whatever the texts are, and the same when interrupted."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.learn.adaptation import Adapt, Ids, Pretext, adapt
from freshtune.learn.batches import padded
from freshtune.learn.contrast import Contrast
from freshtune.learn.fit import Step
from freshtune.learn.masked_words import MaskedWords
from freshtune.learn.state import Diverged, Run
from freshtune.model.backbone import open_backbone, open_word_head
from freshtune.model.blocks import TextModel
from tests.model.test_word_head import written
from tests.model.tiny_models import WIDTH, WORDS

MASK, SPECIAL = 4, (0, 1, 2, 3, 4)
QUICK = Adapt(on=True, epochs=6, batch_tokens=120, learning_rate=3e-3, checkpoint_seconds=1e9)
PRETEXTS = ("masked_words", "contrast")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return written("bert", tmp_path_factory.mktemp("model"))


def opened(folder: Path) -> TextModel:
    torch.manual_seed(1)
    return open_backbone(str(folder), None, 2, 16, (0.5, 1.0))[0]


def asked(name: str, folder: Path) -> Pretext:
    if name == "contrast":
        return Contrast(0.05)
    return MaskedWords(open_word_head(str(folder)), MASK, SPECIAL, 0.15)


def text(*words: int) -> Ids:
    return np.asarray([2, *words, 3], np.int32)


def texts(count: int) -> list[Ids]:
    """Pairs of words that always stand together, in sixes: something that can be guessed."""
    random = np.random.default_rng(0)
    firsts = random.integers(5, 60, (count, 3))
    return [text(*(word for first in row for word in (int(first), int(first) + 60))) for row in firsts]


@pytest.mark.parametrize("name", PRETEXTS)
def test_the_layers_learn_and_nothing_else_does(folder: Path, name: str) -> None:
    model, losses = opened(folder), list[float]()
    before = {part: weight.clone() for part, weight in model.state_dict().items()}
    how = replace(QUICK, epochs=25)
    adapt(model, asked(name, folder), texts(60), how, None, lambda step: losses.append(step.loss))
    changed = {part for part, weight in model.state_dict().items() if not torch.equal(weight, before[part])}
    assert changed
    assert all(part.startswith("blocks.") for part in changed)
    assert {part.split(".")[1] for part in changed} == {"0", "1", "2"}
    third = len(losses) // 3
    assert np.mean(losses[-third:]) < 0.95 * np.mean(losses[:third])
    assert not model.training


@pytest.mark.parametrize("name", PRETEXTS)
@pytest.mark.parametrize(
    "given_texts",
    [[text(9)], [text()], [text(), text(), text()], [text(9)] * 5, [text(), text(9, 8, 7), text(9)], []],
    ids=["one", "empty", "empties", "duplicates", "mixed", "none"],
)
def test_poor_texts_give_a_finite_loss_and_finite_weights(folder: Path, name: str, given_texts: list[Ids]) -> None:
    model, steps = opened(folder), list[Step]()
    adapt(model, asked(name, folder), given_texts, QUICK, None, steps.append)
    assert len(steps) == (QUICK.epochs if given_texts else 0)
    assert all(np.isfinite(step.loss) for step in steps)
    assert all(weight.isfinite().all() for weight in model.state_dict().values())


def test_a_text_alone_has_nothing_to_contrast_with(folder: Path) -> None:
    model = opened(folder).train()
    assert float(Contrast(0.05)(model, *padded([text(9, 8)])).detach()) == pytest.approx(0, abs=1e-6)


def test_duplicates_count_once(folder: Path) -> None:
    once, twice = opened(folder), opened(folder)
    adapt(once, Contrast(0.05), texts(20), QUICK)
    adapt(twice, Contrast(0.05), [*texts(20), *texts(20)], QUICK)
    assert_same(once, twice)


def test_the_average_lies_between(folder: Path) -> None:
    before, whole, half = opened(folder), opened(folder), opened(folder)
    adapt(whole, Contrast(0.05), texts(20), QUICK)
    adapt(half, Contrast(0.05), texts(20), replace(QUICK, share=0.5))
    for part, weight in half.state_dict().items():
        middle = (before.state_dict()[part] + whole.state_dict()[part]) / 2
        torch.testing.assert_close(weight, middle, rtol=1e-5, atol=1e-6)


def test_steps_and_seconds_end_it(folder: Path) -> None:
    steps: list[Step] = []
    adapt(opened(folder), Contrast(0.05), texts(60), replace(QUICK, steps=4), None, steps.append)
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert steps[-1].learning_rate < steps[1].learning_rate, "the rate has come down by then"
    steps.clear()
    adapt(opened(folder), Contrast(0.05), texts(60), replace(QUICK, seconds=1e-9), None, steps.append)
    assert len(steps) == 1


@pytest.mark.parametrize("name", PRETEXTS)
@pytest.mark.parametrize("at", [1, 4])
def test_an_interrupted_run_ends_as_a_whole_one(folder: Path, tmp_path: Path, name: str, at: int) -> None:
    class Stopped(Exception):  # noqa: N818 (reads as what happened)
        pass

    def stop(step: Step) -> None:
        if step.number == at + 1:
            raise Stopped

    whole, parted = opened(folder), opened(folder)
    short, run = replace(QUICK, steps=7), Run(tmp_path / "adapting", "this run")
    adapt(whole, asked(name, folder), texts(40), short)
    with pytest.raises(Stopped):
        adapt(parted, asked(name, folder), texts(40), replace(short, checkpoint_seconds=0), run, stop)
    again, steps = opened(folder), list[Step]()
    adapt(again, asked(name, folder), texts(40), short, run, steps.append)
    assert steps[0].number == at + 1
    assert_same(whole, again)
    done: list[Step] = []
    adapt(opened(folder), asked(name, folder), texts(40), short, run, done.append)
    assert done == [], "what has ended is not done again"


def test_a_loss_that_is_not_finite_stops_it(folder: Path) -> None:
    with pytest.raises(Diverged, match="adaptation") as stopped:
        adapt(opened(folder), Contrast(1e-44), texts(20), QUICK)
    assert "learn.adapt.learning_rate" in stopped.value.mend


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(5, WORDS - 1), max_size=9), min_size=1, max_size=6), st.floats(0.01, 0.99))
def test_special_tokens_and_padding_are_never_guessed(rows: Sequence[Sequence[int]], share: float) -> None:
    from freshtune.model.word_head import WordHead

    head = WordHead({"bias": torch.nn.Parameter(torch.zeros(WORDS))}, "gelu", 1e-12)
    ids, mask = padded([text(*row) for row in rows])
    shown, chosen = MaskedWords(head, MASK, SPECIAL, share).hidden_from(ids, mask)
    assert not chosen[mask == 0].any()
    assert not chosen[torch.isin(ids, torch.tensor(SPECIAL))].any()
    assert torch.equal(shown[~chosen], ids[~chosen])
    for row, words in zip(chosen, rows, strict=True):
        assert int(row.sum()) >= min(1, len(words)), "a text with a word has one to guess"


def test_most_of_what_is_guessed_is_hidden(folder: Path) -> None:
    torch.manual_seed(0)
    ids = torch.randint(5, WORDS, (100, 40))
    shown, chosen = MaskedWords(open_word_head(str(folder)), MASK, SPECIAL, 0.15).hidden_from(ids, torch.ones_like(ids))
    assert 0.13 < float(chosen.float().mean()) < 0.17
    assert 0.75 < float((shown[chosen] == MASK).float().mean()) < 0.85
    assert 0.07 < float((shown[chosen] == ids[chosen]).float().mean()) < 0.14


def assert_same(one: TextModel, other: TextModel) -> None:
    assert one.width == WIDTH
    for part, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[part]), part
