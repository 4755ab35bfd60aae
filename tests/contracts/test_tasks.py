"""The laws of every task: what it accepts its head can learn, what it does not it refuses, and it is pure."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.model.heads import HEADS
from freshtune.model.predictor import Input
from freshtune.records import KINDS, Event, Example, Json
from freshtune.tasks import TASKS, Growing, Task, answering, class_names, first_without_pair
from freshtune.tasks.event_fields import SHARED_FIELDS
from freshtune.tasks.split_key import normalised

LAW = settings(deadline=None, derandomize=True, max_examples=60)
LABELS: dict[str, tuple[Json, ...]] = {
    "sentiment": ("negative", "positive"),
    "rating": (1, 5, "3", 4.0, " 2 "),
    "relevance": (0, 2, 1.33, "0.5", 1),
    "intent": ("card_arrival", "退货", 7, 7.0, " late ", "great"),
    "attributes": ({"colour": "red"}, {"品牌": ["小米", "红米"], "size": 42, "brand": ""}, ["a=b", "c=d"], "b=2|a=1"),
    "custom": ("card_arrival", "退货", 7, " late "),
    "category": ("家居 > 浴室", "home", "home>bath > towels", ["a", "a > b"], 7),
}
NO_LABELS: dict[str, tuple[Json, ...]] = dict.fromkeys(LABELS, ("great", 99, -1, "NaN")) | {
    "intent": ("x" * 65, " \n", "two\nlines", 1.5),
    "attributes": ("red", {"colour": ""}, {"colour": {"a": "b"}}, {"c": "x" * 65}),
    "custom": ("x" * 65, " \n", "two\nlines", 1.5),
    "category": ("a >> b", " > ", 1.5, {"a": "b"}),
}
"""What another task may accept and this one does not."""
tasks = pytest.mark.parametrize("task", [make() for make in TASKS.values()], ids=list(TASKS))

numbers = st.one_of(st.integers(), st.floats(allow_nan=True), st.just(10**400), st.just(-(10**400)))
json_values: st.SearchStrategy[Json] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), numbers, st.text(max_size=8), st.sampled_from(["nan", "inf", "1e999", "٣", "1_0"])
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def event(task: Task, **fields: Json) -> Event:
    """An event that carries what any task needs."""
    return Event("e1", task.kinds[0], text="很好 shoe", item="i", fields={"pair": "红米手机", **fields})


def examples(task: Task, *events: Event) -> list[Example]:
    return list(task.examples(events, {}))


def test_every_member_is_under_test() -> None:
    assert set(LABELS) == set(NO_LABELS) == set(TASKS)
    assert len(TASKS) >= 4


@tasks
def test_it_says_what_it_is(task: Task) -> None:
    assert TASKS[task.name] is type(task)
    assert task.kinds
    assert set(task.kinds) <= set(KINDS) - {"label", "erase"}
    assert task.metrics
    assert len(set(task.metrics)) == len(task.metrics)
    assert isinstance(task.head(), HEADS[task.head().kind])
    assert hash(task) == hash(TASKS[task.name]())


@tasks
def test_it_reads_two_texts_or_one(task: Task) -> None:
    assert {example.pair is not None for example in examples(task, event(task))} == {task.pairs}
    asked = [Input("手机", "手机壳"), Input("手机", " \n"), Input("手机")]
    assert first_without_pair(task, asked) == (1 if task.pairs else None)
    assert first_without_pair(task, asked[:1]) is None


@tasks
def test_every_label_it_accepts_can_be_learned(task: Task) -> None:
    for value in LABELS[task.name]:
        label = task.label(value)
        assert task.label(list(label) if isinstance(label, tuple) else label) == label  # as the log gives it back
        head = answering(task, (), [Example("e", task.name, "好", label=label)]).head()
        assert head.target(label).shape == (head.outputs,)


@tasks
@LAW
@given(value=json_values)
def test_a_value_is_a_label_or_is_refused(task: Task, value: Json) -> None:
    try:
        label = task.label(value)
    except ValueError:
        return
    head = answering(task, (), [Example("e", task.name, "好", label=label)]).head()
    assert head.target(label).shape == (head.outputs,)


@tasks
def test_what_is_outside_is_refused(task: Task) -> None:
    values = [None, True, [], {}, "", float("nan"), float("inf"), 10**400, *NO_LABELS[task.name]]
    for value in values:
        with pytest.raises(ValueError, match=r"\w"):
            task.label(value)
    assert len(values) == 12


@tasks
@LAW
@given(data=st.data())
def test_examples_is_pure_in_order_and_one_an_event(task: Task, data: st.DataObject) -> None:
    kinds = st.sampled_from(KINDS)
    texts = st.one_of(st.none(), st.text("好a \n ！👍\0", max_size=6))
    owners = st.sampled_from((None, task.name, "another"))
    drawn = data.draw(st.lists(st.tuples(kinds, texts, owners), max_size=8))
    events = [
        Event(f"e{n}", kind, text=text, task=owner, item="i", fields={"pair": "红米"})
        for n, (kind, text, owner) in enumerate(drawn)
    ]
    made = examples(task, *events)
    assert made == examples(task, *events)
    assert made == [example for one in events for example in examples(task, one)]
    wanted = [e.id for e in events if e.kind in task.kinds and e.task != "another" and normalised(e.text or "")]
    assert [example.id for example in made] == wanted
    assert all(example.split_key and example.task == task.name and example.label is None for example in made)


@tasks
def test_a_label_is_read_from_its_field_or_from_label_when_sent_for_it(task: Task) -> None:
    value = LABELS[task.name][0]
    named, sent = event(task, **{task.name: value}), replace(event(task, label=value), task=task.name)
    both = [None if task.name in SHARED_FIELDS else task.label(value), task.label(value)]
    assert [example.label for example in examples(task, named, sent)] == both
    assert examples(task, event(task, label=value))[0].label is None


@tasks
def test_a_bad_label_is_a_value_error(task: Task) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        examples(task, replace(event(task, label=NO_LABELS[task.name][0]), task=task.name))


@tasks
def test_only_a_task_that_grows_takes_more_classes(task: Task) -> None:
    names = ("b=1", "a=1")
    known = answering(task, names)
    assert isinstance(task, Growing) == (task.name in ("intent", "attributes", "category", "custom"))
    assert class_names(known.head()) == (names if isinstance(task, Growing) else class_names(task.head()))
    assert (known == task) == (not isinstance(task, Growing))
    assert (known.name, known.kinds, known.metrics) == (task.name, task.kinds, task.metrics)


@tasks
def test_spellings_of_one_text_are_on_one_side(task: Task) -> None:
    spellings = ("Ｇood 手机！", "good手机", "GOOD，手机\n", unicodedata.normalize("NFD", "good 手机 …"))
    keys = {examples(task, replace(event(task), text=text))[0].split_key for text in spellings}
    assert len(keys) == 1


@tasks
def test_time_and_category_go_along(task: Task) -> None:
    example = examples(task, event(task, category="书"))[0]
    assert (example.category, example.time) == ("书", None)
    assert examples(task, event(task, category=7))[0].category == "7"


@tasks
@LAW
@given(fields=st.dictionaries(st.sampled_from(["pair", "category", "other"]), json_values, max_size=3))
def test_no_field_breaks_it(task: Task, fields: dict[str, Json]) -> None:
    for example in task.examples([Event("e", task.kinds[0], text="好", item="i", fields=fields)], {}):
        assert isinstance(example.text, str)
        assert isinstance(example.pair, str | None)
