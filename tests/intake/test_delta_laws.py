"""Laws of deltas, for any interleaving of reviews, labels and duplicates, cut into deltas anywhere."""

import random
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.intake.delta_index import DeltaIndex
from freshtune.intake.deltas import collect_delta, labelled_examples
from freshtune.records import Delta, Event, Label, LogRange
from freshtune.tasks import Task
from freshtune.tasks.relevance import Relevance
from freshtune.tasks.sentiment import Sentiment
from tests.intake.memory_log import MemoryLog

LAW = settings(deadline=None, derandomize=True, max_examples=80)
NOWHERE = Path("no such folder") / "index.db"  # a dry index of a missing file lives in memory

_rng = random.Random(4)
_CHINESE = "".join(chr(_rng.randrange(0x4E00, 0x9000)) for _ in range(150))
_ENGLISH = "".join(_rng.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(200))
# Each row is one text in several spellings: equal ones, then near ones.
TEXTS = (
    ("很好", "很好！", "很 好"),
    ("Bad shoe", "BAD SHOE.", "ｂad shoe"),
    ("👍", " 👍"),
    (_CHINESE, _CHINESE + "。", _CHINESE[:-1] + "末", "首" + _CHINESE),
    (_ENGLISH, _ENGLISH.upper(), _ENGLISH + "x"),
)
LABELS = ("negative", "positive")


@dataclass(frozen=True)
class Review:
    """A review in one of the spellings of a text, perhaps labelled."""

    text: int
    spelling: int
    label: str | None


@dataclass(frozen=True)
class Relabel:
    """A label for the n-th review, which may not have arrived yet, or never will."""

    review: int
    label: str


acts = st.one_of(
    st.builds(Review, st.integers(0, len(TEXTS) - 1), st.integers(0, 3), st.sampled_from((None, *LABELS))),
    st.builds(Relabel, st.integers(0, 12), st.sampled_from(LABELS)),
)
streams = st.lists(acts, min_size=1, max_size=24)
cuts = st.sets(st.integers(0, 24), max_size=5)


def logged(stream: list[Review | Relabel]) -> tuple[MemoryLog, list[int]]:
    """The stream in a log, and which text each review is of."""
    log = MemoryLog()
    texts: list[int] = []
    for number, act in enumerate(stream):
        if isinstance(act, Relabel):
            fields = {"example": f"r{act.review}", "label": act.label}
            log.append([Event(f"l{number}", "label", task="sentiment", fields=fields)])
            continue
        spellings = TEXTS[act.text]
        fields = {} if act.label is None else {"sentiment": act.label}
        log.append([Event(f"r{len(texts)}", "review", text=spellings[act.spelling % len(spellings)], fields=fields)])
        texts.append(act.text)
    return log, texts


def wanted(stream: list[Review | Relabel], texts: list[int]) -> dict[str, str]:
    """The plain meaning: the first review of each text, with the last label said about any of its spellings."""
    said: dict[int, str] = {}
    for act in stream:
        text = act.text if isinstance(act, Review) else texts[act.review] if act.review < len(texts) else None
        if text is not None and act.label is not None:
            said[text] = act.label
    return {f"r{texts.index(text)}": label for text, label in said.items()}


def played(log: MemoryLog, task: Task, at: set[int], share: float, index: DeltaIndex) -> list[Delta]:
    ends = sorted({end for end in at if end < log.head()} | {log.head()})
    ranges = [LogRange(since, upto) for since, upto in zip([0, *ends], ends, strict=False) if since < upto]
    return [collect_delta(log, task, within, index, share) for within in ranges]


def learned(deltas: list[Delta]) -> dict[str, Label | None]:
    """What is known of each example in the end."""
    return {e.id: e.label for delta in deltas for e in (*delta.labelled, *delta.held_out)}


def sides(deltas: list[Delta]) -> tuple[set[str], set[str]]:
    train = {e.id for delta in deltas for e in (*delta.labelled, *delta.unlabelled)}
    return train, {e.id for delta in deltas for e in delta.held_out}


@LAW
@given(streams, cuts)
def test_any_cut_learns_what_one_delta_learns(stream: list[Review | Relabel], at: set[int]) -> None:
    log, texts = logged(stream)
    with DeltaIndex(NOWHERE, dry=True) as one, DeltaIndex(NOWHERE, dry=True) as many:
        whole, parts = played(log, Sentiment(), set(), 0.5, one), played(log, Sentiment(), at, 0.5, many)
        memory = labelled_examples(log, Sentiment(), sorted(learned(parts)), log.head(), many)
    assert learned(parts) == learned(whole) == wanted(stream, texts)
    assert {id_: example.label for id_, example in memory.items()} == learned(parts)
    assert {e.id for e in whole[0].labelled} == {e.id for delta in parts for e in delta.labelled}


@LAW
@given(streams, cuts)
def test_no_example_is_ever_on_both_sides(stream: list[Review | Relabel], at: set[int]) -> None:
    log, _ = logged(stream)
    with DeltaIndex(NOWHERE, dry=True) as index:
        train, held_out = sides(played(log, Sentiment(), at, 0.5, index))
    assert train.isdisjoint(held_out)


@LAW
@given(streams, cuts)
def test_every_text_is_counted_once(stream: list[Review | Relabel], at: set[int]) -> None:
    log, texts = logged(stream)
    with DeltaIndex(NOWHERE, dry=True) as index:
        deltas = played(log, Sentiment(), at, 0.0, index)
    duplicates = sum(delta.counts.exact_duplicates + delta.counts.near_duplicates for delta in deltas)
    assert duplicates == len(texts) - len(set(texts))
    train, _ = sides(deltas)
    assert train == {f"r{texts.index(text)}" for text in set(texts)}
    assert sum(delta.counts.events for delta in deltas) == log.head()


@LAW
@given(streams, cuts, st.integers(0, 24))
def test_a_range_asked_again_later_is_the_same(stream: list[Review | Relabel], at: set[int], pick: int) -> None:
    log, _ = logged(stream)
    with DeltaIndex(NOWHERE, dry=True) as index, DeltaIndex(NOWHERE, dry=True) as late:
        deltas = played(log, Sentiment(), at, 0.5, index)
        delta = deltas[pick % len(deltas)]
        assert collect_delta(log, Sentiment(), delta.range, index, 0.5) == delta
        assert collect_delta(log, Sentiment(), delta.range, late, 0.5) == delta


@st.composite
def shop_events(draw: st.DrawFn) -> list[Event]:
    """Products that come and change, and graded queries about them, in any order."""
    events = []
    for number in range(draw(st.integers(1, 24))):
        item, word = (
            draw(st.sampled_from("ijk")),
            draw(st.sampled_from(("手机", "手机！", "red shoe", _CHINESE, _CHINESE[1:]))),
        )
        if draw(st.booleans()):
            events.append(
                Event(f"p{number}", "item", item=item, text=draw(st.sampled_from((None, "标题一", "标题二", _ENGLISH))))
            )
        else:
            fields = draw(st.sampled_from(({}, {"relevance": 0}, {"relevance": 2})))
            events.append(Event(f"q{number}", "query", text=word, item=item, fields=fields))
    return events


@LAW
@given(shop_events(), cuts)
def test_a_query_and_what_is_near_it_stay_on_one_side(events: list[Event], at: set[int]) -> None:
    log, task = MemoryLog(), Relevance()
    log.append(events)
    with DeltaIndex(NOWHERE, dry=True) as index:
        deltas = played(log, task, at, 0.5, index)
        again = [collect_delta(log, task, delta.range, index, 0.5) for delta in deltas]
    assert again == deltas
    # Spellings of one query are one query.
    names = {"手机！": "手机", _CHINESE[1:]: _CHINESE}
    train = {names.get(e.text, e.text) for delta in deltas for e in (*delta.labelled, *delta.unlabelled)}
    held_out = {names.get(e.text, e.text) for delta in deltas for e in delta.held_out}
    assert train.isdisjoint(held_out)
