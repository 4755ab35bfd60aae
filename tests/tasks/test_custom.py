"""A task from settings alone: every kind of answer, one text or two, and what cannot be."""

from pathlib import Path
from typing import Any

import pytest

from freshtune import front_door
from freshtune.errors import ConfigurationError
from freshtune.intake.mapping import ColumnMapping
from freshtune.model.heads import HEADS
from freshtune.records import Event, Example, Json
from freshtune.settings import as_tree, read_settings, settings_of
from freshtune.tasks import answering
from freshtune.tasks.custom import Custom
from tests.small_shop import INTENTS, asked, backbone, close, graded, make_shop

ANSWERS: dict[str, tuple[dict[str, Any], str, tuple[Json, ...], tuple[Json, ...]]] = {
    "class": ({}, "classes", ("退货", 7), (1.5, "", ["a"])),
    "classes": ({}, "several", (["b", "a"], ["退货"], "a|b", {"one": "a", "two": ""}), ([], "|", 1.5, {"a": [1]})),
    "step": ({"lowest": 0, "highest": 3}, "ordinal", (0, "3", 2.0), (4, 1.5, "good")),
    "number": ({"lowest": -1, "highest": 1}, "score", (0.25, "-1"), (1.01, "nan", None)),
}


def task(**table: Any) -> Custom:
    made = settings_of({"tasks": {"returns": {"like": "custom", **table}}}).task("returns")
    assert isinstance(made, Custom)
    return made


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_kind_of_answer_has_its_head_its_labels_and_its_metrics(answer: str) -> None:
    table, kind, good, bad = ANSWERS[answer]
    made = task(answer=answer, **table)
    assert made.name == "returns"
    assert isinstance(made.head(), HEADS[kind])
    for value in good:
        label = made.label(value)
        head = answering(made, (), [Example("1", "returns", "", label=label)]).head()
        assert head.target(label).shape == (head.outputs,)
    for value in bad:
        with pytest.raises(ValueError, match=r"\w"):
            made.label(value)
    assert made.metrics


def test_two_texts_and_another_kind_of_event() -> None:
    made = task(kinds=["chat", "query"], pairs=True, answer="number", lowest=0, highest=1)
    assert made.metrics[0] == "ndcg_at_10"
    events = [
        Event("1", "chat", text="手机", fields={"pair": "手机壳", "returns": 0.5}),
        Event("2", "chat", text="手机"),
        Event("3", "review", text="手机", fields={"pair": "手机壳"}),
    ]
    assert [(row.id, row.pair, row.label) for row in made.examples(events, {})] == [("1", "手机壳", 0.5)]


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"returns": {}}, "no task 'returns'"),
        ({"returns": {"like": "custm"}}, "no task 'custm'"),
        ({"returns": {"like": "rating"}}, "name of its own"),
        ({"Re turns": {"like": "custom"}}, r"tasks\.Re turns are wrong"),
        ({"returns": {"like": "custom", "answer": "step", "lowest": 0.5}}, "are wrong"),
        ({"returns": {"like": "custom", "answer": "step", "lowest": 5, "highest": 1}}, "are wrong"),
        ({"returns": {"like": "custom", "answer": "number", "labels": ["a"]}}, "are wrong"),
        ({"returns": {"like": "custom", "labels": ["a", "a"]}}, "are wrong"),
        ({"returns": {"like": "custom", "kinds": ["label"]}}, "are wrong"),
        ({"returns": {"like": "custom", "kinds": []}}, "are wrong"),
        ({"returns": {"like": "custom", "anwser": "class"}}, "anwser"),
        ({"returns": {"like": "custom", "name": "other"}}, "names its task"),
        ({"returns": {"like": ["custom"]}}, "no task"),
        *(({name: {"like": "custom"}}, "are wrong") for name in ("label", "pair", "category", "example")),
        ({"returns": {"like": "custom", "answer": "colour"}}, "answer"),
    ],
)
def test_what_cannot_be_is_refused_with_the_mend(tables: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        settings_of({"tasks": tables})
    assert refused.value.mend or refused.value.why


def test_what_config_show_says_can_be_read_again() -> None:
    settings = settings_of({"tasks": {"returns": {"like": "custom", "labels": ["a", "b"]}, "rating": {"highest": 7}}})
    tree = as_tree(settings)
    assert tree["tasks"]["returns"]["like"] == "custom"
    assert settings_of(tree).tasks == settings.tasks


OWN = """
[tasks.returns]
like = "custom"
kinds = ["chat"]
[tasks.fit]
like = "custom"
kinds = ["query"]
pairs = true
answer = "step"
lowest = 0
highest = 2
"""


@pytest.mark.usefixtures("own_cache")
def test_from_settings_alone_through_train_update_gate_and_answers(tmp_path: Path) -> None:
    """Two ideas of a shop beside a task that is built in; each is learned, judged and asked."""
    made = make_shop(tmp_path / "shop", backbone(tmp_path / "backbone"), ("sentiment",))
    close(made)
    with (tmp_path / "shop" / "freshtune.toml").open("a", encoding="utf-8") as file:
        file.write(OWN)
    assert set(read_settings(tmp_path / "shop").tasks) == {"sentiment", "returns", "fit"}
    shop = front_door.open(tmp_path / "shop", ("learn.first.epochs=20",))
    returned = ColumnMapping(text="text", label="label", id="id", task="returns")
    fitting = ColumnMapping(text="text", pair="pair", label="label", id="id", task="fit")
    shop.ingest(asked(0, 400), returned)
    shop.ingest(graded(0, 400), fitting)
    for name in ("returns", "fit"):
        first = shop.train(name)
        assert first.verdict.promote, first.verdict.reasons
    shop.ingest(asked(400, 600), returned)
    second = shop.update("returns")
    assert second.verdict.findings
    assert shop.release_of("returns") in (second.id, second.parent)
    said = [
        answer["label"] for answer in shop.predict("returns", [f"{words[0]} {words[1]}" for words in INTENTS.values()])
    ]
    assert len(set(map(str, said))) > 2
    assert set(map(str, said)) <= set(INTENTS)
    close(shop)
