"""Nodes of a tree: a child implies its parents, whichever way it is named."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.errors import ConfigurationError
from freshtune.records import Json
from freshtune.settings import settings_of
from freshtune.tasks.category import PATH, Category

PARENTS = {"towels": "bath", "bath": "home", "毛巾": "bath", "12": "home", "café": "home"}
NAMES = st.lists(st.text("abc手机", min_size=1, max_size=3), min_size=1, max_size=5)


@given(NAMES)
def test_a_path_is_all_its_nodes_and_they_say_the_same(parts: list[str]) -> None:
    nodes = Category().label(PATH.join(parts))
    assert len(nodes) == len(parts)
    assert Category().label(list(nodes)) == nodes
    for node in nodes:
        assert set(Category().label(node)) <= set(nodes)


@pytest.mark.parametrize(
    ("sent", "nodes"),
    [
        ("towels", ("home", "home > bath", "home > bath > towels")),
        (" 毛巾 ", ("home", "home > bath", "home > bath > 毛巾")),
        ("home", ("home",)),
        ("home>garden", ("home", "home > garden")),
        (["bath > towels", "toys"], ("home", "home > bath", "home > bath > towels", "toys")),
        (["towels"], ("home", "home > bath", "home > bath > towels")),
        (12, ("home", "home > 12")),
        (unicodedata.normalize("NFD", "café"), ("home", "home > café")),
    ],
)
def test_a_node_by_its_own_name_or_by_its_path(sent: Json, nodes: tuple[str, ...]) -> None:
    assert Category(parents=PARENTS).label(sent) == nodes


@pytest.mark.parametrize("parents", [{"a": "a"}, {"a": "b", "b": "a"}, {"x": "a", "a": "b", "b": "c", "c": "a"}])
def test_a_cycle_is_refused_where_it_is_set(parents: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"tasks\.category") as refused:
        settings_of({"tasks": {"category": {"parents": parents}}})
    assert "above itself" in refused.value.why
    assert refused.value.mend


@pytest.mark.parametrize("parents", [{"a": ""}, {" a": "b"}, {"a": "b > c"}, {"a > b": "c"}])
def test_parents_are_names_alone(parents: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"tasks\.category") as refused:
        settings_of({"tasks": {"category": {"parents": parents}}})
    assert refused.value.why


def test_nodes_that_are_named_bring_their_parents_and_are_all_there_are() -> None:
    closed = Category(("home > bath > towels", "toys"))
    assert closed.head().labels == ("home", "home > bath", "home > bath > towels", "toys")
    assert closed.label("home > bath") == ("home", "home > bath")
    with pytest.raises(ValueError, match="none of the 4 that"):
        closed.label("home > garden")
    assert closed.knowing(["home", "garden"]).head().labels == closed.head().labels
    with pytest.raises(ConfigurationError, match="as it is read"):
        settings_of({"tasks": {"category": {"labels": ["home>bath"]}}})


@pytest.mark.parametrize("sent", ["a >> b", " > ", "", [], {"a": "b"}, 1.5, PATH.join("abcdefghijklmnopq")])
def test_what_is_no_path_is_refused(sent: Json) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Category().label(sent)
