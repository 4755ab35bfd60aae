"""Deltas: what comes when, with which label, on which side, counted how; over every event log."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from freshtune.errors import IntegrityError
from freshtune.intake.delta_index import DeltaIndex, LateLabel
from freshtune.intake.deltas import collect_delta, labelled_examples
from freshtune.intake.event_log import EVENT_LOGS, EventLog
from freshtune.intake.held_out import side
from freshtune.records import Delta, DeltaCounts, Event, Example, Json, LogRange
from freshtune.tasks import Task
from freshtune.tasks.rating import Rating
from freshtune.tasks.relevance import Relevance
from freshtune.tasks.sentiment import Sentiment
from freshtune.tasks.split_key import normalised
from tests.intake.memory_log import MemoryLog

SENTIMENT = Sentiment()
LONG = (
    "这家酒店的早餐很丰富，房间也干净整洁，前台服务员态度非常热情，下次出差还会再来住，就是隔音稍微差了一点，晚上能听到马路上的车声。"
    * 2
)
NEAR = LONG[:50] + "！" + LONG[50:-1] + "啊"


@pytest.fixture(params=["memory", *EVENT_LOGS])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    if request.param == "memory":
        yield MemoryLog()
        return
    opened = EVENT_LOGS[request.param](tmp_path / "events.db")
    yield opened
    opened.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[DeltaIndex]:
    with DeltaIndex(tmp_path / "fingerprints.db") as opened:
        yield opened


def review(id_: str, text: str, label: Json = None, **fields: Json) -> Event:
    said = fields if label is None else {"sentiment": label, **fields}
    return Event(id_, "review", text=text, fields=said)


def relabel(id_: str, example: str, label: Json) -> Event:
    return Event(id_, "label", task="sentiment", fields={"example": example, "label": label})


def query(id_: str, text: str, item: str, grade: Json = None) -> Event:
    return Event(id_, "query", text=text, item=item, fields={} if grade is None else {"relevance": grade})


def product(id_: str, item: str, text: str | None) -> Event:
    return Event(id_, "item", item=item, text=text)


def trained(delta: Delta) -> dict[str, object]:
    """Labelled examples of both sides by id."""
    return {example.id: example.label for example in (*delta.labelled, *delta.held_out)}


@pytest.fixture
def collect(log: EventLog, index: DeltaIndex) -> Callable[..., Delta]:
    """Append events, and collect them with what the task has not consumed."""
    consumed = 0

    def collected(
        *events: Event, task: Task = SENTIMENT, share: float = 0.0, quarantined: tuple[LogRange, ...] = ()
    ) -> Delta:
        nonlocal consumed
        log.append(events)
        within = LogRange(consumed, log.head())
        consumed = within.upto
        return collect_delta(log, task, within, index, share, quarantined)

    return collected


def test_sides_are_disjoint_and_in_log_order(collect: Callable[..., Delta]) -> None:
    events = [review(f"r{n}", f"第{n}条评论 number {n}", "positive" if n % 3 else None) for n in range(300)]
    delta = collect(*events, share=0.3)
    for examples in (delta.labelled, delta.unlabelled, delta.held_out):
        numbers = [int(example.id[1:]) for example in examples]
        assert numbers == sorted(numbers)
    assert all(side(example.split_key, 0.3) == "train" for example in (*delta.labelled, *delta.unlabelled))
    assert all(side(example.split_key, 0.3) == "held_out" and example.label for example in delta.held_out)
    dropped = sum(side(normalised(e.text or ""), 0.3) == "held_out" and not e.fields for e in events)
    assert dropped > 10
    assert len(delta.labelled) + len(delta.unlabelled) + len(delta.held_out) == 300 - dropped
    assert delta.counts == DeltaCounts(events=300)


def test_exact_duplicates_count_once_with_the_latest_label(collect: Callable[..., Delta]) -> None:
    delta = collect(
        review("a", "Ｇood 手机！", "positive"), review("b", "good手机"), review("c", "GOOD，手机", "negative")
    )
    assert trained(delta) == {"a": "negative"}
    assert delta.labelled[0].text == "Ｇood 手机！"
    assert delta.counts == DeltaCounts(events=3, exact_duplicates=2, conflicts=1, conflicting=("a",))


def test_near_duplicates_count_once(collect: Callable[..., Delta]) -> None:
    delta = collect(review("a", LONG), review("b", NEAR, "positive"), review("c", "别的东西也不错"))
    assert trained(delta) == {"a": "positive"}
    assert [example.id for example in delta.unlabelled] == ["c"]
    assert delta.counts == DeltaCounts(events=3, near_duplicates=1)


def test_a_duplicate_of_an_earlier_delta_is_not_learned_twice(collect: Callable[..., Delta]) -> None:
    collect(review("a", LONG, "positive"))
    delta = collect(review("b", LONG, "positive"), review("c", NEAR, "positive"), review("d", LONG))
    assert delta.labelled == delta.unlabelled == delta.held_out == ()
    assert delta.counts == DeltaCounts(events=3, exact_duplicates=2, near_duplicates=1)


def test_a_duplicate_with_another_label_is_a_correction(collect: Callable[..., Delta]) -> None:
    collect(review("a", "差评", "negative"))
    delta = collect(review("b", "差评！", "positive"))
    assert trained(delta) == {"a": "positive"}
    assert delta.counts == DeltaCounts(events=1, exact_duplicates=1, corrections=1, conflicts=1, conflicting=("a",))


def test_a_late_label_brings_its_example(collect: Callable[..., Delta]) -> None:
    assert [e.id for e in collect(review("a", "还行"), review("b", "一般")).unlabelled] == ["a", "b"]
    delta = collect(relabel("l1", "b", "negative"))
    assert trained(delta) == {"b": "negative"}
    assert delta.counts == DeltaCounts(events=1, late_labels=1)
    again = collect(relabel("l2", "b", "negative"))
    assert (trained(again), again.counts) == ({}, DeltaCounts(events=1, late_labels=1))
    corrected = collect(relabel("l3", "b", "positive"))
    assert trained(corrected) == {"b": "positive"}
    assert corrected.counts == DeltaCounts(events=1, late_labels=1, corrections=1, conflicts=1, conflicting=("b",))


def test_the_latest_label_of_one_delta_wins(collect: Callable[..., Delta]) -> None:
    delta = collect(
        review("a", "还行", "negative"),
        relabel("1", "a", "positive"),
        relabel("2", "a", "negative"),
        relabel("3", "a", "positive"),
    )
    assert trained(delta) == {"a": "positive"}
    assert delta.counts == DeltaCounts(events=4, late_labels=3, conflicts=3, conflicting=("a",))


def test_a_label_of_a_duplicate_is_the_kept_ones(collect: Callable[..., Delta]) -> None:
    collect(review("a", "还行"), review("b", "还行。"))
    assert trained(collect(relabel("l", "b", "positive"))) == {"a": "positive"}


def test_a_label_waits_for_its_example(collect: Callable[..., Delta]) -> None:
    early = collect(relabel("l", "a", "positive"))
    assert (trained(early), early.counts) == ({}, DeltaCounts(events=1, waiting_labels=1))
    delta = collect(review("a", "还行"))
    assert trained(delta) == {"a": "positive"}
    assert delta.counts == DeltaCounts(events=1, late_labels=1)


def test_a_waiting_label_that_joins_a_known_text_corrects_it(collect: Callable[..., Delta]) -> None:
    collect(review("a", "还行", "negative"), relabel("l", "b", "positive"))
    delta = collect(review("b", "还行。"))
    assert trained(delta) == {"a": "positive"}
    assert (delta.counts.corrections, delta.counts.conflicts) == (1, 1)


def test_refused_labels_are_counted_never_fatal(collect: Callable[..., Delta]) -> None:
    hostile: list[Json] = ["great", 5, 0.5, [1], {"a": 1}, True, "", "Positive"]
    events = [review(f"r{n}", f"评论{n}", value) for n, value in enumerate(hostile)]
    delta = collect(*events, relabel("l", "r0", "great"), relabel("m", "r1", "negative"))
    assert trained(delta) == {"r1": "negative"}
    assert len(delta.unlabelled) == len(hostile) - 1
    assert (delta.counts.refused_labels, delta.counts.late_labels) == (len(hostile) + 1, 1)


def test_label_events_that_say_nothing_are_passed_over(collect: Callable[..., Delta]) -> None:
    delta = collect(
        review("a", "还行"),
        Event("1", "label", task="rating", fields={"example": "a", "label": "positive"}),
        Event("2", "label", task="sentiment", fields={"label": "positive"}),
        Event("3", "label", task="sentiment", fields={"example": 7, "label": "positive"}),
        Event("4", "label", fields={"example": "a"}),
        Event("5", "label", fields={"example": "a", "sentiment": "negative"}),
    )
    assert trained(delta) == {"a": "negative"}


def test_events_of_other_tasks_are_not_counted(collect: Callable[..., Delta]) -> None:
    delta = collect(
        Event("1", "review", text="x", task="rating"), Event("2", "click", item="i"), product("3", "i", "t")
    )
    assert (delta.unlabelled, delta.counts) == ((), DeltaCounts())


def test_a_changed_product_comes_again_when_it_is_labelled(collect: Callable[..., Delta]) -> None:
    task = Relevance()
    first = collect(product("p1", "i", "红米手机"), query("q1", "手机", "i", 2), query("q2", "平板", "i"), task=task)
    assert [(e.id, e.pair) for e in first.labelled] == [("q1", "红米手机")]
    assert [e.id for e in first.unlabelled] == ["q2"]
    delta = collect(product("p2", "i", "红米手机 Pro"), product("p3", "j", "别的"), task=task)
    assert [(e.id, e.pair, e.label) for e in delta.labelled] == [("q1", "红米手机 Pro", 2.0)]
    assert (delta.unlabelled, delta.counts) == ((), DeltaCounts(rerendered=1))
    assert collect(product("p4", "i", "红米手机 Pro"), task=task).labelled == ()


def test_a_changed_product_leaves_alone_what_does_not_show_it(collect: Callable[..., Delta]) -> None:
    collect(product("p1", "i", "红米"), replace(review("a", "很好", "positive"), item="i"))
    delta = collect(product("p2", "i", "红米 Pro"))
    assert (delta.labelled, delta.counts) == ((), DeltaCounts())


def test_queries_wait_for_their_product(collect: Callable[..., Delta]) -> None:
    task = Relevance()
    early = Event("l", "label", task="relevance", fields={"example": "q1", "label": 1})
    assert trained(collect(query("q1", "手机", "i"), query("q2", "手机壳", "i", 2), early, task=task)) == {}
    delta = collect(query("q0", "平板", "i", 0), product("p", "i", "红米手机"), task=task)
    assert trained(delta) == {"q1": 1.0, "q2": 2.0, "q0": 0.0}
    assert [e.id for e in delta.labelled] == ["q1", "q2", "q0"]


def test_a_query_is_on_one_side_with_all_its_products(collect: Callable[..., Delta]) -> None:
    titles = [product(f"p{n}", f"i{n}", f"商品标题第{n}号") for n in range(20)]
    pairs = [query(f"q{n}.{item}", f"搜索词{n}", f"i{item}", item % 3) for item in range(20) for n in range(12)]
    delta = collect(*titles, *pairs, task=Relevance(), share=0.4)
    held_out, train = ({e.text for e in examples} for examples in (delta.held_out, delta.labelled))
    assert held_out.isdisjoint(train)
    assert len(held_out | train) == 12
    assert min(len(held_out), len(train)) > 1
    assert len(delta.labelled) + len(delta.held_out) == 240


def test_near_queries_share_a_side(collect: Callable[..., Delta]) -> None:
    chain = ["".join(chr(0x4E00 + 7 * n) for n in range(300))]
    for place in range(10, 300, 24):  # each is near the one before, the last is far from the first
        chain.append(chain[-1][:place] + "机" + chain[-1][place + 1 :])
    assert len({side(normalised(text), 0.5) for text in chain}) == 2
    delta = collect(
        *(product(f"p{n}", f"i{n}", f"商品{n}") for n in range(len(chain))),
        *(query(f"q{n}", text, f"i{n}", 1) for n, text in enumerate(chain)),
        task=Relevance(),
        share=0.5,
    )
    assert sorted((len(delta.labelled), len(delta.held_out))) == [0, len(chain)]


def test_poisoned_then_clean(collect: Callable[..., Delta], log: EventLog, index: DeltaIndex) -> None:
    collect(review("a", "还行", "positive"))
    collect(relabel("x", "a", "negative"), review("b", "很好", "negative"), review("c", "很差", "negative"))
    refused = (LogRange(1, 4),)
    delta = collect(
        review("d", "很好", "positive"), review("e", "很差！", "negative"), review("f", "还行"), quarantined=refused
    )
    assert trained(delta) == {"d": "positive", "e": "negative"}
    assert delta.counts == DeltaCounts(events=3, exact_duplicates=1)
    kept = labelled_examples(log, SENTIMENT, ["a", "d"], log.head(), index, refused)
    assert {id_: example.label for id_, example in kept.items()} == {"a": "positive", "d": "positive"}
    healed = collect(relabel("y", "b", "positive"), relabel("z", "c", "positive"), quarantined=refused)
    assert trained(healed) == {"e": "positive"}


def test_the_same_range_gives_the_same_delta_again(log: EventLog, index: DeltaIndex, tmp_path: Path) -> None:
    log.append(
        [review("a", LONG, "positive"), review("b", "差", "negative"), review("c", NEAR), relabel("w", "z", "negative")]
    )
    log.append([review("z", "差!"), relabel("l", "a", "negative"), review("d", "新的", "positive")])
    first, second = LogRange(0, 3), LogRange(3, 7)
    wanted = [collect_delta(log, SENTIMENT, within, index, 0.3) for within in (first, second)]
    collect_delta(log, Rating(), LogRange(0, 7), index, 0.3)
    assert [collect_delta(log, SENTIMENT, within, index, 0.3) for within in (first, second)] == wanted
    with DeltaIndex(tmp_path / "rebuilt.db") as rebuilt:  # a lost index, first asked for the later range
        assert [collect_delta(log, SENTIMENT, within, rebuilt, 0.3) for within in (second, first)] == wanted[::-1]


def test_a_dry_run_writes_nothing(log: EventLog, tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    log.append([review("a", "好", "positive"), review("b", "差", "negative")])
    with DeltaIndex(path, dry=True) as dry:
        wanted = collect_delta(log, SENTIMENT, LogRange(0, 2), dry, 0.3)
    assert not path.exists()
    with DeltaIndex(path) as index:
        assert collect_delta(log, SENTIMENT, LogRange(0, 2), index, 0.3) == wanted
    before = path.read_bytes()
    log.append([review("c", "好！", "negative")])
    with DeltaIndex(path, dry=True) as dry:
        assert collect_delta(log, SENTIMENT, LogRange(2, 3), dry, 0.3).counts.exact_duplicates == 1
    assert path.read_bytes() == before
    with DeltaIndex(path) as index:
        assert index.upto("sentiment") == 2


def test_a_crash_between_chunks_changes_nothing(log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freshtune.intake.folding.CHUNK", 5)
    log.append([review(f"r{n}", f"评论{n % 17}", ("positive", "negative")[n % 2]) for n in range(40)])
    whole = LogRange(0, 40)
    with DeltaIndex(tmp_path / "one.db") as index:
        wanted = collect_delta(log, SENTIMENT, whole, index, 0.3)
    with DeltaIndex(tmp_path / "two.db") as index:
        original, calls = index.add_late_labels, iter(range(3))

        def interrupted(task: str, labels: Sequence[LateLabel]) -> None:
            if next(calls) == 2:
                raise KeyboardInterrupt
            original(task, labels)

        monkeypatch.setattr(index, "add_late_labels", interrupted)
        with pytest.raises(KeyboardInterrupt):
            collect_delta(log, SENTIMENT, whole, index, 0.3)
        assert index.upto("sentiment") == 10
    with DeltaIndex(tmp_path / "two.db") as index:
        assert collect_delta(log, SENTIMENT, whole, index, 0.3) == wanted


def test_two_processes_may_fold_at_once(log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append([relabel("l", "r1", "negative"), *(review(f"r{n}", f"评论{n}", "positive") for n in range(19))])
    path = tmp_path / "index.db"
    with DeltaIndex(path) as one, DeltaIndex(path) as other:
        stale = other.folded("sentiment", repr(SENTIMENT), 20)
        wanted = collect_delta(log, SENTIMENT, LogRange(0, 12), one, 0.3)
        monkeypatch.setattr(other, "folded", lambda task, settings, head: stale)  # it looked before the other one wrote
        assert collect_delta(log, SENTIMENT, LogRange(12, 20), other, 0.3).counts == DeltaCounts(events=8)
        assert collect_delta(log, SENTIMENT, LogRange(0, 12), one, 0.3) == wanted


def test_new_settings_of_a_task_read_its_labels_again(log: EventLog, index: DeltaIndex) -> None:
    log.append([review("a", "一般", "neutral"), review("b", "好", "positive")])
    whole = LogRange(0, 2)
    narrow = collect_delta(log, SENTIMENT, whole, index, 0)
    assert (trained(narrow), narrow.counts.refused_labels) == ({"b": "positive"}, 1)
    wide = collect_delta(log, Sentiment(("negative", "positive", "neutral")), whole, index, 0)
    assert (trained(wide), wide.counts.refused_labels) == ({"a": "neutral", "b": "positive"}, 0)


def test_a_shorter_log_is_folded_from_its_start(index: DeltaIndex) -> None:
    long, short = MemoryLog(), MemoryLog()
    long.append([review("a", "好", "positive"), review("b", "差", "negative")])
    short.append([review("c", "好", "negative")])
    collect_delta(long, SENTIMENT, LogRange(0, 2), index, 0)
    assert trained(collect_delta(short, SENTIMENT, LogRange(0, 1), index, 0)) == {"c": "negative"}


def test_a_damaged_or_newer_index_names_the_mend(tmp_path: Path) -> None:
    damaged, newer = tmp_path / "damaged.db", tmp_path / "newer.db"
    damaged.write_bytes(b"no database at all" * 400)
    with DeltaIndex(newer) as index:
        index.transaction().pragma("user_version", 99)
    for path in (damaged, newer):
        with pytest.raises(IntegrityError, match="made again from the log"):
            DeltaIndex(path)


def test_kept_ids_come_back_with_latest_labels_and_texts(log: EventLog, index: DeltaIndex) -> None:
    task = Relevance()
    log.append(
        [product("p1", "i", "红米"), query("q1", "手机", "i", 2), query("q2", "平板", "i"), query("q3", "手机", "i", 1)]
    )
    log.append([product("p2", "i", "红米 Pro"), query("q4", "耳机", "i", 0)])
    both = labelled_examples(log, task, ["q4", "q2", "q1", "unknown"], 6, index)
    assert [(e.id, e.pair, e.label) for e in both.values()] == [("q4", "红米 Pro", 0.0), ("q1", "红米 Pro", 1.0)]
    early = labelled_examples(log, task, ["q1", "q4"], 3, index)
    assert [(e.id, e.pair, e.label) for e in early.values()] == [("q1", "红米", 2.0)]
    assert labelled_examples(log, task, ["q1"], 6)["q1"].label == 2.0


def test_without_an_index_the_examples_own_labels_count(log: EventLog) -> None:
    log.append(
        [review("a", "好", "positive"), relabel("1", "a", "negative"), review("b", "差"), relabel("2", "b", "bad")]
    )
    log.append([relabel("3", "a", "positive"), review("c", "行", "great")])

    def labels(upto: int, *quarantined: LogRange) -> dict[str, object]:
        found = labelled_examples(log, SENTIMENT, ["a", "b", "c"], upto, quarantined=quarantined)
        return {id_: example.label for id_, example in found.items()}

    assert labels(4) == {"a": "negative"}
    assert labels(6) == {"a": "positive"}
    assert labels(4, LogRange(1, 2)) == {"a": "positive"}


def test_collected_and_remembered_are_the_same_example(log: EventLog, index: DeltaIndex) -> None:
    log.append([replace(review("a", "好", "positive", category="书"), task=None), relabel("1", "a", "negative")])
    collected = collect_delta(log, SENTIMENT, LogRange(0, 2), index, 0).labelled
    assert collected == (Example("a", "sentiment", "好", label="negative", category="书", split_key="好"),)
    assert tuple(labelled_examples(log, SENTIMENT, ["a"], 2, index).values()) == collected
