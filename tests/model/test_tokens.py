"""Text to ids: bounded, alike for equal text, in both languages, whatever is thrown at it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.errors import IntegrityError
from freshtune.model.predictor import Input
from freshtune.model.tokens import Tokens
from tests.model.tiny_models import word_tokenizer

ENCODER = Tokens.of(word_tokenizer("bert"), "w9 ", 8)
CAUSAL = Tokens.of(word_tokenizer("gpt2"), "", 8)
PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def ids(tokens: Tokens, *inputs: Input) -> list[list[int]]:
    return [text.tolist() for text in tokens.encode(inputs)]


def test_prefix_special_tokens_and_pairs() -> None:
    assert ids(ENCODER, Input("w5 w6"), Input("w5", "w7")) == [[2, 9, 5, 6, 3], [2, 9, 5, 3, 7, 3]]


def test_long_pairs_lose_of_the_longer_text_first() -> None:
    assert ids(ENCODER, Input("w5", " ".join(["w7"] * 50))) == [[2, 9, 5, 3, 7, 7, 7, 3]]


def test_nothing_is_still_something_to_read() -> None:
    assert ids(ENCODER, Input("")) == [[2, 9, 3]]
    assert ids(CAUSAL, Input("")) == [[0]]
    assert ENCODER.encode([]) == []


@given(st.lists(st.tuples(PLAIN_TEXT, st.none() | PLAIN_TEXT), max_size=6))
def test_lengths_are_bounded_and_neighbours_do_not_matter(texts: list[tuple[str, str | None]]) -> None:
    inputs = [Input(*text) for text in texts]
    for tokens in (ENCODER, CAUSAL):
        together = ids(tokens, *inputs)
        assert all(1 <= len(text) <= 8 for text in together)
        assert together == [ids(tokens, one)[0] for one in inputs]


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    ENCODER.write(tmp_path / "tokenizer.json")
    again = Tokens.open(tmp_path / "tokenizer.json", ENCODER.prefix, ENCODER.max_tokens)
    assert ids(again, Input("w5 w6", "w7")) == ids(ENCODER, Input("w5 w6", "w7"))


@pytest.mark.parametrize("content", [None, "", "{}", "\x00", "[1, 2]"])
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(IntegrityError, match=r"tokenizer\.json"):
        Tokens.open(path, "", 8)
