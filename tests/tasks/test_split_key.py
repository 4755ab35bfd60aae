"""Normalisation: what counts as the same text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.tasks.split_key import normalised


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good  Phone!", "good phone"),
        ("质量很好，推荐。", "质量很好 推荐"),
        ("ＡＢＣ１２３", "abc123"),
        ("straße", "STRASSE"),
        ("a\u2028b\u3000c\ufeff", "abc"),
        ("👍 好", "好"),
    ],
)
def test_equal(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"), [("好", "不好"), ("👍", "👎"), ("10", "100"), ("手机", "手機"), ("！", "？")]
)
def test_different(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000"])
def test_space_is_nothing(text: str) -> None:
    assert normalised(text) == ""


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_any_text_has_a_key_that_space_does_not_change(text: str) -> None:
    key = normalised(text)
    if any(character.isalnum() for character in key):
        assert normalised(f" {text}\n") == key
