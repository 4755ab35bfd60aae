"""Text to ids: bounded, alike for equal text, in both languages, whatever is thrown at it."""

import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from freshtune.errors import IntegrityError
from freshtune.model.predictor import Input
from freshtune.model.tokens import Tokens
from tests.model.tiny_models import word_tokenizer

ENCODER = Tokens.of(word_tokenizer("bert"), "w9 ", 8)
CAUSAL = Tokens.of(word_tokenizer("gpt2"), "", 8)
WORDY = st.lists(st.sampled_from(["w5", "w6", "w7", "?"]), max_size=14).map(" ".join)
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


@given(st.lists(WORDY, min_size=1, max_size=3), st.none() | WORDY)
def test_texts_are_cut_as_the_library_cuts_them(texts: list[str], pair: str | None) -> None:
    for family in ("bert", "gpt2"):
        for most in (8, 9):
            library = word_tokenizer(family)
            library.enable_truncation(most, strategy="longest_first")
            tokens = Tokens.of(word_tokenizer(family), "", most)
            for text in texts:
                theirs = library.encode(text, pair).ids
                assert ids(tokens, Input(text, pair)) == [theirs or [0]]


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_a_pair_of_endless_texts_takes_no_more_than_they_are_long(family: str) -> None:
    tokens = Tokens.of(word_tokenizer(family), "", 32)
    endless = "w7 " * 33_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (read,) = tokens.encode([Input(endless, endless)])
    assert len(read) == 32
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000, "kilobytes"


def test_what_is_encoded_at_once_is_bounded_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [Input(f"w{number % 90 + 5}" * (number % 3), None if number % 2 else "w8") for number in range(40)]
    whole = ids(ENCODER, *inputs)
    monkeypatch.setattr("freshtune.model.tokens._CHARACTERS", 5)
    assert ids(ENCODER, *inputs) == whole


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    ENCODER.write(tmp_path / "tokenizer.json")
    again = Tokens.open(tmp_path / "tokenizer.json", ENCODER.prefix, ENCODER.max_tokens)
    assert ids(again, Input("w5 w6", "w7")) == ids(ENCODER, Input("w5 w6", "w7"))
    alone = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert alone.encode(ENCODER.prefix + "w5 w6 " * 9, "w7").ids == ids(ENCODER, Input("w5 w6 " * 9, "w7"))[0]


@pytest.mark.parametrize("content", [None, "", "{}", "\x00", "[1, 2]"])
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(IntegrityError, match=r"tokenizer\.json"):
        Tokens.open(path, "", 8)
