"""Any order, duplication and crash of ingest gives the same set of events."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from freshtune.intake import ingest
from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import Appended, SourcePosition, SqliteEventLog
from freshtune.intake.ingest import ingest_file, ingest_records
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.masking import Masker
from freshtune.records import DeadLetter, Event, LogRange
from freshtune.tasks import TASKS

MASKER = Masker(b"a salt of the tests, 32 bytes ...")
CHECKS = EventChecks({name: task() for name, task in TASKS.items()}, MASKER)
MAPPING = ColumnMapping(text="text", id="id")
FILES = 2


class CrashError(Exception):
    """The process is gone."""


class CrashingLog(SqliteEventLog):
    """Dies before or after the commit of one batch, once it is told to."""

    def __init__(self, path: Path, batches: int, committed: bool) -> None:
        super().__init__(path)
        self.__dict__.update(batches=batches, committed=committed)

    def append(
        self, events: Sequence[Event], dead: Sequence[DeadLetter] = (), source: SourcePosition | None = None
    ) -> Appended:
        self.__dict__["batches"] -= 1
        if self.__dict__["batches"] >= 0:
            return super().append(events, dead, source)
        if self.__dict__["committed"]:
            super().append(events, dead, source)
        raise CrashError


class AnyIngest(RuleBasedStateMachine):
    """Files grow, are read, are read by a process that dies; records are sent again in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ingest, "BATCH", 3)  # many commits out of few records
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.log = SqliteEventLog(self.root / "events.db")
        self.sent: list[str] = []
        self.acknowledged: set[str] = set()
        self.in_files: list[list[str]] = [[] for _ in range(FILES)]
        for number in range(FILES):
            (self.root / f"{number}.jsonl").touch()

    def path(self, number: int) -> Path:
        return self.root / f"{number}.jsonl"

    @rule(number=st.integers(0, FILES - 1), count=st.integers(1, 7), again=st.booleans())
    def grow(self, number: int, count: int, again: bool) -> None:
        new = [f"e{len(self.sent) + place}" for place in range(count)]
        self.sent += new
        lines = new + (self.sent[-2 * count :: 2] if again else [])
        self.in_files[number] += lines
        with self.path(number).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps({"id": name, "text": f"文 {name}"}, ensure_ascii=False) + "\n" for name in lines)

    @rule(number=st.integers(0, FILES - 1))
    def read_file(self, number: int) -> None:
        ingest_file(self.path(number), MAPPING, self.log, CHECKS)
        self.acknowledged |= set(self.in_files[number])

    @rule(number=st.integers(0, FILES - 1), batches=st.integers(0, 4), committed=st.booleans())
    def read_file_and_die(self, number: int, batches: int, committed: bool) -> None:
        log = CrashingLog(self.log.path, batches, committed)
        try:
            ingest_file(self.path(number), MAPPING, log, CHECKS)
        except CrashError:
            pass
        else:
            self.acknowledged |= set(self.in_files[number])
        log.close()

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        names = data.draw(st.lists(st.sampled_from(self.sent or ["e0"]), max_size=8))
        self.sent += ["e0"] if not self.sent else []
        ingest_records([{"id": name, "text": f"文 {name}"} for name in names], MAPPING, self.log, CHECKS)
        self.acknowledged |= set(names)

    @rule()
    def reopen(self) -> None:
        self.log.close()

    @invariant()
    def nothing_acknowledged_is_lost_and_nothing_is_there_twice(self) -> None:
        events = list(self.log.read(LogRange(0, 10_000)))
        assert [event.position for event in events] == list(range(1, len(events) + 1))
        found = [event.id for event in events]
        assert len(set(found)) == len(found)
        assert self.acknowledged <= set(found) <= set(self.sent)
        assert all(event.text == f"文 {event.id}" for event in events)

    def teardown(self) -> None:
        for number in range(FILES):
            self.read_file(number)
        assert {name for names in self.in_files for name in names} <= {
            event.id for event in self.log.read(LogRange(0, 10_000))
        }
        self.log.close()
        self.folder.cleanup()
        self.patch.undo()


TestAnyIngest = AnyIngest.TestCase
TestAnyIngest.settings = settings(deadline=None, derandomize=True, max_examples=25, stateful_step_count=15)
