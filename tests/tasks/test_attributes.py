"""Values of attributes: what a shop may send, and what is refused."""

import pytest

from freshtune.errors import ConfigurationError
from freshtune.records import Example, Json
from freshtune.settings import settings_of
from freshtune.tasks import answering
from freshtune.tasks.attributes import Attributes


@pytest.mark.parametrize(
    "sent",
    [
        {"colour": ["red", "blue"], "brand": "小米"},
        {"brand": " 小米 ", "colour": ["blue", "red", "red"], "size": " ", "for": None, "more": [], "n": float("nan")},
        ["brand=小米", "colour=red", "colour=blue", "", None, "size="],
        ("brand=小米", "colour=red", "colour=blue"),
        ["brand=小米", "colour=red", "colour = blue"],
        "colour=blue|brand=小米|colour=red",
        "colour=blue | brand=小米 | colour=red|",
    ],
)
def test_one_label_in_every_form(sent: Json) -> None:
    assert Attributes().label(sent) == ("brand=小米", "colour=blue", "colour=red")


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("red", "colour=red"),
        ("=red", "attribute"),
        ("colour=", "value"),
        (["colour=red", 7], "colour=red"),
        (["colour=red", True], "colour=red"),
        ({"colour": {"is": "red"}}, "no name"),
        ({"a=b": "red"}, "holds ="),
        ({"weight": float("inf")}, "no name"),
        ({"colour": "x" * 65}, "1 to 64"),
        ({"c" * 65: "red"}, "1 to 64"),
        ({"colour": ""}, "names no value"),
        ("|", "names no value"),
        (3, "is no list"),
    ],
)
def test_what_is_no_value_is_refused_with_its_reason(sent: Json, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Attributes().label(sent)


def test_a_value_may_hold_what_stands_between_them() -> None:
    assert Attributes().label({"size": "a=b"}) == ("size=a=b",)
    assert Attributes().label(["size=a=b"]) == ("size=a=b",)


def test_values_that_are_named_are_all_there_are_unless_more_may_come() -> None:
    closed, open_ = Attributes(("c=red",)), Attributes(("c=red",), more=True)
    with pytest.raises(ValueError, match="none of the 1 that"):
        closed.label({"c": "blue"})
    brought = [Example("1", "attributes", "", label=("c=blue", "c=red"))]
    assert answering(closed, (), brought).head().outputs == 1
    assert answering(open_, (), brought).head().outputs == 2
    with pytest.raises(ConfigurationError, match="most_names allows 2"):
        answering(Attributes(most_names=2), (), [Example("1", "attributes", "", label=("a=1", "a=2", "a=3"))])


@pytest.mark.parametrize("labels", [["red"], ["c=red", "c=red"], ["c = red"], [""]])
def test_wrong_names_are_refused_where_they_are_set(labels: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"tasks\.attributes"):
        settings_of({"tasks": {"attributes": {"labels": labels}}})


def test_numbers_and_yes_or_no_are_values_too() -> None:
    assert Attributes().label({"size": 42, "weight": 1.5, "vegan": True, "new": False}) == (
        "new=no",
        "size=42",
        "vegan=yes",
        "weight=1.5",
    )
