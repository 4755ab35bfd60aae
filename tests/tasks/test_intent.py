"""Which classes an intent is one of: those that are named, or those that labels bring."""

import unicodedata

import pytest

from freshtune.errors import ConfigurationError
from freshtune.model.heads.classes import Classes
from freshtune.records import Example
from freshtune.settings import settings_of
from freshtune.tasks import answering
from freshtune.tasks.intent import Intent
from freshtune.tasks.names import LONGEST_NAME


def brought(*names: str) -> list[Example]:
    return [Example(str(place), "intent", "文", label=name) for place, name in enumerate(names)]


def test_classes_come_by_name_after_those_that_are_known_in_whatever_order_examples_come() -> None:
    names = ("退货", "card", "apr")
    for order in (names, names[::-1]):
        assert answering(Intent(), (), brought(*order)).head() == Classes(("apr", "card", "退货"))
        assert answering(Intent(), ["card"], brought(*order)).head() == Classes(("card", "apr", "退货"))
    assert Intent().head().outputs == 0


def test_named_classes_are_closed_unless_more_are_welcome() -> None:
    closed, open_ = Intent(("b", "a")), Intent(("b", "a"), more=True)
    with pytest.raises(ValueError, match="none of the 2"):
        closed.label("c")
    assert open_.label("c") == "c"
    assert answering(closed, (), brought("a")).head() == Classes(("a", "b"))
    assert answering(closed, ["a", "gone"]).head() == Classes(("a", "b")), "what is not named any more is left out"
    assert answering(open_, ["a"], brought("c")).head() == Classes(("a", "c", "b"))


def test_what_knows_its_classes_may_learn_more() -> None:
    known = answering(Intent(), ["a"])
    assert known.label("new") == "new"
    assert answering(known, ["a"], brought("new")).head() == Classes(("a", "new"))


def test_a_name_is_kept_composed_and_without_space_around() -> None:
    assert Intent().label(unicodedata.normalize("NFD", " café\u3000")) == "café"
    assert Intent().label(3.0) == "3"
    assert len(Intent().label("长" * LONGEST_NAME)) == LONGEST_NAME


def test_more_classes_than_allowed_are_told_with_the_way_on() -> None:
    with pytest.raises(ConfigurationError, match="3 names") as refused:
        answering(Intent(most_names=2), ["a"], brought("b", "c"))
    assert "most_names" in refused.value.mend
    assert "tasks.intent.labels" in refused.value.mend


@pytest.mark.parametrize("labels", [["a", "a"], ["a", " b"], ["a", ""], ["a", "two\nlines"]])
def test_wrong_names_are_refused_where_they_are_set(labels: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"tasks\.intent"):
        settings_of({"tasks": {"intent": {"labels": labels}}})


def test_sentiment_must_name_its_classes() -> None:
    with pytest.raises(ConfigurationError, match=r"tasks\.sentiment"):
        settings_of({"tasks": {"sentiment": {"labels": []}}})
