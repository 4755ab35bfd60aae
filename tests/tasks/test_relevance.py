"""Relevance: where the title comes from, and what makes a query an example."""

import pytest

from freshtune.records import Event, Json
from freshtune.tasks.relevance import Relevance

ITEM = Event("p", "item", item="i", text="红米手机")


def titles(event: Event, **items: Event) -> list[str | None]:
    return [example.pair for example in Relevance().examples([event], items)]


def test_the_events_own_title_comes_first() -> None:
    assert titles(Event("q", "query", text="手机", item="i", fields={"pair": "小米"}), i=ITEM) == ["小米"]
    assert titles(Event("q", "query", text="手机", item="i"), i=ITEM) == ["红米手机"]


def test_a_query_without_a_title_is_no_example() -> None:
    assert titles(Event("q", "query", text="手机", item="j"), i=ITEM) == []
    assert titles(Event("q", "query", text="手机")) == []
    assert titles(Event("q", "query", text="手机", item="i"), i=Event("p", "item", item="i")) == []
    assert titles(Event("q", "query", text="手机", fields={"pair": " "})) == []


@pytest.mark.parametrize(("pair", "read"), [(501, ["501"]), (["a"], []), ({"a": 1}, []), (True, []), (None, [])])
def test_a_title_is_text(pair: Json, read: list[str]) -> None:
    assert titles(Event("q", "query", text="jeans", fields={"pair": pair})) == read


def test_the_scale_is_a_setting() -> None:
    assert Relevance(lowest=1, highest=3).label("2.33") == 2.33
    with pytest.raises(ValueError, match="outside 1 to 3"):
        Relevance(lowest=1, highest=3).label(0)
