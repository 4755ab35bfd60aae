"""The laws of the event logs, on every member."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from freshtune.errors import FreshtuneError, IntegrityError
from freshtune.intake.event_log import EVENT_LOGS, Appended, SourcePosition, SqliteEventLog, schema
from freshtune.records import DeadLetter, Event, LogRange

NOW = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FULL = Event(
    "e1",
    "review",
    NOW,
    "rating",
    "u",
    "i",
    "s",
    "很好 \u2028 ok",
    {"label": 5, "nested": {"a": [1.5, None, True, "x"]}},
)


@pytest.fixture(params=EVENT_LOGS)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteEventLog]:
    log = EVENT_LOGS[request.param](tmp_path / "events.db")
    yield log
    log.close()


def reviews(*ids: str) -> list[Event]:
    return [Event(identity, "review", text=f"text of {identity}") for identity in ids]


def ids(events: Iterator[Event]) -> list[str]:
    return [event.id for event in events]


def dead_letter(number: int) -> DeadLetter:
    return DeadLetter("bad_label", f"detail {number}", "记录\\0", "file record 1", NOW)


def test_events_come_back_as_they_were(log: SqliteEventLog) -> None:
    bare = Event("e2", "click")
    old = Event("e3", "chat", datetime(1970, 1, 1, tzinfo=UTC), text="", schema_version=1)
    log.append([FULL, bare, old])
    found = list(log.read(LogRange(0, 3)))
    assert [event.position for event in found] == [1, 2, 3]
    for sent, kept in zip((FULL, bare, old), found, strict=True):
        for name in ("id", "kind", "time", "task", "user", "item", "session", "text", "fields", "schema_version"):
            assert getattr(kept, name) == getattr(sent, name)
    assert log.get(["e1", "absent", "e3"]).keys() == {"e1", "e3"}


def test_the_first_event_with_an_id_stays(log: SqliteEventLog) -> None:
    assert log.append(reviews("a", "b", "a")) == Appended(2, 1, 2)
    assert log.append([Event("a", "review", text="other"), *reviews("c")]) == Appended(1, 1, 3)
    assert log.get(["a"])["a"].text == "text of a"
    assert [(event.position, event.id) for event in log.read(LogRange(0, 99))] == [(1, "a"), (2, "b"), (3, "c")]


def test_a_range_leaves_out_its_start(log: SqliteEventLog) -> None:
    log.append(reviews(*map(str, range(2_500))))
    assert ids(log.read(LogRange(1_998, 2_001))) == ["1998", "1999", "2000"]
    assert len(ids(log.read(LogRange(0, log.head())))) == 2_500
    assert ids(log.read(LogRange(2_500, 9_999))) == []


def test_labels_items_and_what_is_about_them(log: SqliteEventLog) -> None:
    label = [Event(f"l{number}", "label", fields={"example": "e1", "label": number}) for number in range(3)]
    log.append(
        [
            Event("i1", "item", item="lamp", text="Lamp"),
            Event("q1", "query", item="lamp", text="light"),
            Event("i2", "item", item="lamp", text="Desk lamp"),
            Event("i3", "item", item="desk", text="Desk"),
            Event("c1", "click", item="desk"),
            *label,
        ]
    )
    assert ids(iter(log.labels(["e1", "e2"], 99)["e1"])) == ["l0", "l1", "l2"]
    assert ids(iter(log.labels(["e1"], 7)["e1"])) == ["l0", "l1"]
    assert log.labels(["e2"], 99) == {}
    assert {item: event.id for item, event in log.items(["lamp", "desk", "chair"], 99).items()} == {
        "lamp": "i2",
        "desk": "i3",
    }
    assert log.items(["lamp"], 2)["lamp"].id == "i1"
    assert ids(log.about_items(["desk", "lamp"], 99)) == ["q1", "c1"]
    assert ids(log.about_items(["desk", "lamp"], 4)) == ["q1"]


def test_many_names_at_once(log: SqliteEventLog) -> None:
    names = [str(number) for number in range(3_000)]
    log.append([Event(name, "click", item=name) for name in reversed(names)])
    assert len(log.get(names)) == 3_000
    assert ids(log.about_items(names, 9_999)) == list(reversed(names))


def test_a_position_is_stored_with_its_events(log: SqliteEventLog) -> None:
    assert log.source_position("file") is None
    log.append(reviews("a"), source=SourcePosition("file", "10"))
    log.append((), source=SourcePosition("file", "20"))
    assert log.source_position("file") == "20"


def test_a_batch_is_kept_whole_or_not_at_all(log: SqliteEventLog) -> None:
    broken = Event("x", "review", text="\ud800")
    with pytest.raises(TypeError):
        log.append([*reviews("a"), broken], source=SourcePosition("file", "10"))
    with pytest.raises(FreshtuneError, match="nothing of this call was kept"):
        log.append([*reviews("a"), Event(None, "review")], source=SourcePosition("file", "10"))  # type: ignore[arg-type]
    assert log.head() == 0
    assert log.source_position("file") is None


def test_dead_letters_are_bounded_and_newest_first(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", max_dead_letters=10)
    log.append((), [dead_letter(number) for number in range(15)])
    log.append((), [dead_letter(15)])
    assert list(log.dead_letters()) == [dead_letter(number) for number in range(15, 5, -1)]
    assert list(log.dead_letters(2)) == [dead_letter(15), dead_letter(14)]
    log.close()


def test_reading_a_log_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    assert (log.head(), list(log.read(LogRange(0, 9))), log.get(["a"]), log.source_position("f")) == (0, [], {}, None)
    assert (list(log.dead_letters()), log.items(["a"], 9), log.labels(["a"], 9)) == ([], {}, {})
    assert log.append(()) == Appended(0, 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_log_is_refused_and_left_alone(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    log.append(reviews("a"))
    log.close()
    connection = apsw.Connection(str(tmp_path / "events.db"))
    connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with pytest.raises(IntegrityError, match="99"):
        log.head()
    with pytest.raises(IntegrityError, match="newer"):
        log.append(reviews("b"))


def test_an_older_log_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    log.append(reviews("a"))
    log.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE later (x)"))
    log.append(reviews("b"))
    assert ids(log.read(LogRange(0, 9))) == ["a", "b"]
    log.close()
    connection = apsw.Connection(str(tmp_path / "events.db"))
    assert connection.execute("SELECT version FROM schema_version").get == 2
    assert connection.execute("SELECT count(*) FROM later").get == 0
    connection.close()


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_bytes(b"no database " * 1_000)
    with pytest.raises(IntegrityError, match="damaged"):
        SqliteEventLog(tmp_path / "events.db").head()


def test_commits_are_synced(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    log.append(reviews("a"))
    connection = log._connection()
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    log.close()


def test_threads_and_connections_share_one_log(tmp_path: Path) -> None:
    """Eight writers, two connections: every event once, positions without gaps, each batch together."""
    logs = [SqliteEventLog(tmp_path / "events.db"), SqliteEventLog(tmp_path / "events.db")]
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for batch in range(5):
                logs[writer % 2].append(
                    reviews(*(f"{writer}-{batch}-{number}" for number in range(10)), f"shared-{batch}")
                )
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    found = list(logs[0].read(LogRange(0, 9_999)))
    assert [event.position for event in found] == list(range(1, 8 * 5 * 10 + 5 + 1))
    assert len({event.id for event in found}) == len(found)
    own = [event.id for event in found if not event.id.startswith("shared")]
    assert all(
        len({identity.rsplit("-", 1)[0] for identity in own[start : start + 10]}) == 1 for start in range(0, 400, 10)
    )
    for log in logs:
        log.close()
