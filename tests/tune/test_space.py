"""What is varied of a recipe: the current one lies inside, every point is a valid recipe, budgets and the cut stay."""

from collections.abc import Mapping
from typing import Any

import pytest

from freshtune.learn.losses.ewc import Ewc
from freshtune.learn.losses.fgm import Fgm
from freshtune.learn.memory.none import NoMemory
from freshtune.learn.memory.sampled import Sampled
from freshtune.settings import LearnSettings, settings_of
from freshtune.tune.space import Choice, Range, Space, Value, space_of

LAYERS = 12


def learn(**tables: Any) -> LearnSettings:
    return settings_of({"tasks": {"sentiment": {}}, "learn": tables}).learn


RECIPES: Mapping[str, tuple[LearnSettings, int]] = {
    "the default": (LearnSettings(), 0),
    "outside every range": (
        learn(fit={"learning_rate": 0.5, "epochs": 90, "weight_decay": 500.0}, average=[0.05], memory={"mix": 300.0}),
        0,
    ),
    "no rate": (learn(adapter={"name": "top_layers", "k": 2}, fit={"epochs": 2}), 4),
    "lora with its own linears": (learn(adapter={"name": "lora", "k": 3, "rank": 5, "linears": ["qkv"]}), 4),
    "other terms": (learn(losses=[{"name": "squared_error"}, {"name": "ewc"}, {"name": "fgm", "epsilon": 0.2}]), 0),
    "no past": (learn(memory={"name": "none"}), 0),
    "a small memory": (learn(memory={"name": "herding", "size": 7}), 0),
}


def corners(space: Space) -> list[dict[str, Value]]:
    """Points at the ends of every dimension, and with every option."""
    points: list[dict[str, Value]] = []
    for place in range(7):
        points.append({})
        for each in space.dimensions:
            if isinstance(each, Range):
                value = each.low + (each.high - each.low) * (place % 2 if place < 4 else (place - 3) / 4)
                points[-1][each.name] = each.nearest(value)
            else:
                points[-1][each.name] = each.options[place % len(each.options)]
    return points


@pytest.mark.parametrize("name", RECIPES)
def test_the_current_recipe_lies_inside(name: str) -> None:
    current, above = RECIPES[name]
    space = space_of(current, above, ranks=False)
    point = space.params(current)
    for each in space.dimensions:
        if isinstance(each, Range):
            assert each.low <= float(point[each.name]) <= each.high
        else:
            assert point[each.name] in each.options
        assert each.distribution()._contains(each.distribution().to_internal_repr(point[each.name]))
    again = space.params(space.recipe(point))
    assert again.keys() == point.keys()
    assert all(
        value == point[name] if isinstance(value, str) else value == pytest.approx(point[name], rel=0.01)
        for name, value in again.items()
    )


@pytest.mark.parametrize("name", ["the default", "outside every range", "a small memory"])
def test_a_recipe_of_the_common_kind_comes_back_the_same(name: str) -> None:
    current, above = RECIPES[name]
    space = space_of(current, above, ranks=False)
    assert space.recipe(space.params(current)) == current


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("fixed", [True, False])
def test_every_point_is_a_recipe_above_the_cut_that_keeps_no_more_than_before(name: str, fixed: bool) -> None:
    current, above = RECIPES[name]
    space = space_of(current, above, ranks=True, fixed=fixed)
    for point in corners(space):
        recipe = space.recipe(point)
        written = {"tasks": {"sentiment": {}}, "recipes": {"sentiment": space.written(recipe)}}
        as_read = settings_of({**written, "learn": {}}).recipes["sentiment"]
        assert (as_read.fit.epochs, as_read.losses, as_read.average) == (
            recipe.fit.epochs,
            recipe.losses,
            recipe.average,
        )
        if above:
            lowest = recipe.adapter.lowest_trained(LAYERS)
            assert lowest >= LAYERS - above
            assert fixed or lowest == LAYERS - above
        else:
            assert recipe.adapter == current.adapter
        if isinstance(current.memory, Sampled):
            assert isinstance(recipe.memory, Sampled)
            assert recipe.memory.size <= current.memory.size
            assert recipe.memory.max_bytes == current.memory.max_bytes
        else:
            assert isinstance(recipe.memory, NoMemory)


def test_what_is_not_varied_stays() -> None:
    current, above = RECIPES["other terms"]
    space = space_of(current, above, ranks=False)
    point = space.params(current)
    recipe = space.recipe({**point, "fgm": 0.3})
    assert [term for term in recipe.losses if isinstance(term, Ewc)] == [Ewc()]
    assert [term for term in recipe.losses if isinstance(term, Fgm)] == [Fgm(weight=0.3, epsilon=0.2)]
    assert not any(isinstance(term, Fgm) for term in space.recipe({**point, "fgm": 0.0}).losses)
    lora, above = RECIPES["lora with its own linears"]
    space = space_of(lora, above, ranks=False)
    tuned = space.recipe({**space.params(lora), "rank": 16}).adapter
    assert (tuned.rank, tuned.linears) == (16, ("qkv",))  # type: ignore[attr-defined]


def test_a_ranking_alone_compares() -> None:
    names = {each.name for each in space_of(LearnSettings(), 0, ranks=False).dimensions}
    ranking = {each.name for each in space_of(LearnSettings(), 0, ranks=True).dimensions}
    assert ranking - names == {"pairwise", "listwise"}


def test_the_nearest_option_of_a_choice() -> None:
    assert Choice("l2_sp", (0.0, 0.01, 0.1)).nearest(0.08) == 0.1
    assert Choice("memory", ("balanced", "herding")).nearest("none") == "balanced"
