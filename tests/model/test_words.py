"""A text's words reach the head beside its vectors, in training as in serving, and each part can answer alone."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freshtune.learn.fit import predict
from freshtune.model.backbone import open_backbone
from freshtune.model.blocks import Readout, TextModel
from freshtune.model.families import Architecture
from freshtune.model.heads.classes import Classes
from freshtune.model.onnx_model import OnnxTrunk, open_onnx_model
from freshtune.model.predictor import Input
from freshtune.model.words import WithWords, places, table_rows, with_words
from freshtune.ship.compression import COMPRESSIONS
from freshtune.ship.export import export_top, export_trunk
from tests.model.tiny_models import LAYERS, WIDTH, saved

IDS = st.lists(st.integers(0, 250_000), min_size=1, max_size=130).map(lambda ids: np.asarray(ids, np.int32))
SIZES = st.sampled_from([1, 2, 64, 1 << 17, 1 << 22])


@given(IDS, SIZES)
def test_places_are_rows_of_the_table_each_once(ids: np.ndarray, rows: int) -> None:
    found = places(ids, rows)
    assert found.min() >= 1
    assert found.max() <= rows
    assert found.tolist() == sorted(set(found.tolist()))
    assert len(found) <= 2 * len(ids) - 1
    assert np.array_equal(found, places(ids.copy(), rows))


@given(IDS)
def test_a_repeated_text_has_one_word_more_at_most(ids: np.ndarray) -> None:
    once, twice = set(places(ids, 1 << 22)), set(places(np.concatenate([ids, ids]), 1 << 22))
    assert once <= twice
    assert len(twice - once) <= 1, "the pair where both meet"


def test_order_counts() -> None:
    one, other = (places(np.asarray(ids, np.int32), 1 << 22) for ids in ([5, 6, 7], [7, 6, 5]))
    assert len(set(one) & set(other)) == 3, "the tokens, not their pairs"


@given(st.integers(0, 1 << 22), st.integers(1, 1_000))
def test_a_table_is_bounded_however_many_answers_there_are(most: int, answers: int) -> None:
    rows = table_rows(most, answers)
    assert rows <= most
    assert rows * answers <= 2 * most
    assert rows == 0 or rows & (rows - 1) == 0


class Vectors:
    """A trunk whose vectors are the text's first id."""

    digest = "it"

    def hidden(self, ids: list[np.ndarray]) -> list[np.ndarray]:
        return [np.full((2, 8), float(text[0]), np.float32) for text in ids]


@given(st.lists(IDS, max_size=4))
def test_words_stand_below_the_vectors_and_nothing_is_lost(texts: list[np.ndarray]) -> None:
    rows = 1 << 22
    read = WithWords(Vectors(), rows).hidden(texts)  # type: ignore[arg-type]
    for text, block in zip(texts, read, strict=True):
        assert (block[:2] == float(text[0])).all()
        below = block[2:].ravel()
        assert below[below > 0].astype(np.int64).tolist() == places(text, rows).tolist()


def test_a_head_without_a_table_reads_no_words() -> None:
    trunk = Vectors()
    for architecture in (None, {}, {"words": 0}, "nothing"):
        assert with_words(trunk, architecture) is trunk  # type: ignore[arg-type,comparison-overlap]


def filled(head: Readout) -> Readout:
    """Every weight at random but the row of no word."""
    with torch.no_grad():
        for weight in head.parameters():
            weight.normal_(std=0.3)
        if head.rows:
            head.words.weight[0] = 0
    return head.eval()


def test_it_begins_by_saying_the_same_of_every_text() -> None:
    torch.manual_seed(0)
    head = filled(Readout(6, 3, units=4, words=32))
    head.begin(torch.tensor([0.1, 0.2, 0.3]))
    read = torch.cat([torch.randn(5, 6), torch.randint(0, 33, (5, 7)).float()], dim=1)
    torch.testing.assert_close(head(read), torch.tensor([[0.1, 0.2, 0.3]]).expand(5, 3))
    with torch.enable_grad():
        head(read).square().sum().backward()
    assert head.words.weight.grad is not None
    assert head.outer.weight.grad is not None
    assert head.outer.weight.grad.any(), "an inner layer at random, so that what follows it can learn"
    assert not head.words.weight.grad[0].any(), "no word is no word"


@pytest.mark.parametrize(("units", "words"), [(0, 0), (4, 0), (0, 32), (4, 32)])
def test_what_a_grown_head_said_it_says(units: int, words: int) -> None:
    torch.manual_seed(0)
    head = filled(Readout(6, 2, units, words))
    read = torch.cat([torch.randn(5, 6), torch.randint(0, 33, (5, 7)).float()], dim=1)[:, : 13 if words else 6]
    before = head(read).detach()
    head.grow(torch.tensor([-1.0, 2.0]))
    after = head(read)
    torch.testing.assert_close(after[:, :2], before)
    torch.testing.assert_close(after[:, 2:], torch.tensor([[-1.0, 2.0]]).expand(5, 2))


def test_each_part_learns_to_answer_alone() -> None:
    torch.manual_seed(0)
    head = filled(Readout(6, 2, words=32)).train()
    read = torch.cat([torch.randn(4_000, 6), torch.randint(1, 33, (4_000, 7)).float()], dim=1)
    said = head(read).detach()
    words_alone = head.eval()(torch.cat([head.mean.expand(4_000, 6), read[:, 6:]], dim=1)).detach()
    vectors_alone = head(torch.cat([read[:, :6], torch.zeros(4_000, 7)], dim=1)).detach()
    for alone in (words_alone, vectors_alone):
        share = torch.isclose(said, alone, atol=1e-5).all(dim=1).float().mean().item()
        assert 0.35 < share < 0.45


def test_padding_a_batch_changes_no_answer() -> None:
    torch.manual_seed(0)
    model = TextModel(_architecture(), 2, cut=LAYERS)
    filled(model.head)
    trunk = WithWords(Wide(), 1 << 10)  # type: ignore[arg-type]
    read = trunk.hidden([np.arange(1, size, dtype=np.int32) for size in (3, 120, 40)])
    together = predict(model, LAYERS, read)
    alone = np.concatenate([predict(model, LAYERS, [row]) for row in read])
    np.testing.assert_allclose(together, alone, atol=1e-5)


class Wide:
    """Vectors as the tiny model's taps are."""

    digest = "it"

    def hidden(self, ids: list[np.ndarray]) -> list[np.ndarray]:
        return [np.full((1, WIDTH), len(text) / 100, np.float32) for text in ids]


def _architecture() -> Architecture:
    return Architecture("bert", 200, 48, LAYERS, WIDTH, 4, 128, 1e-12, units=8, words=1 << 10)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(("units", "rows"), [(8, 0), (0, 1 << 12), (8, 1 << 12)])
def test_what_is_served_is_what_was_trained(tmp_path: Path, compression: str, units: int, rows: int) -> None:
    torch.manual_seed(0)
    model, tokens = open_backbone(str(saved("bert", tmp_path)), None, 2, 32, (0.5, 1.0))
    model.widen_head(units, rows)
    filled(model.head)
    for name, export in (("trunk", export_trunk), ("top", export_top)):
        export(model, LAYERS, tmp_path / "plain.onnx")
        COMPRESSIONS[compression]().apply(tmp_path / "plain.onnx", tmp_path / f"{name}.onnx")
    tokens.write(tmp_path / "tokenizer.json")
    told = model.architecture.as_json()
    described = {"head": asdict(Classes(("a", "b"))), "prefix": "", "max_tokens": 32, "architecture": told}
    (tmp_path / "model.json").write_text(json.dumps(described), "utf-8")
    inputs = [Input("w5 w6 w7"), Input("w8"), Input(""), Input("w5 " * 60), Input("w10 w11", "w12")]
    trunk = with_words(OnnxTrunk(tmp_path / "trunk.onnx", 1), told)
    expected = predict(model, LAYERS, trunk.hidden(tokens.encode(inputs)))
    served = open_onnx_model(tmp_path, None, 1).logits(inputs)
    np.testing.assert_allclose(served, expected, atol=1e-4 if compression == "none" else 0.05)
