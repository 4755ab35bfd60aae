"""``kill -9`` at every named place of ingest: what was acknowledged stays, nothing is twice, nothing needs repair."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from freshtune.intake.event_log import SqliteEventLog
from freshtune.records import LogRange

POINTS = ("after_begin", "after_events", "before_commit", "after_commit", "before_acknowledge")
HITS = range(1, 11)
RECORDS = 3_000
CHILD = """
import sys
from pathlib import Path
from freshtune.intake import ingest
from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import SqliteEventLog
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.masking import Masker
from freshtune.tasks import TASKS

ingest.BATCH = 10
log = SqliteEventLog(Path(sys.argv[2]))
tasks = {name: task() for name, task in TASKS.items()}
mapping = ColumnMapping(text="text", id="id")
checks = EventChecks(tasks, Masker(b"a salt of the tests, 32 bytes ..."))
ingest.ingest_file(Path(sys.argv[1]), mapping, log, checks, lambda report: print(log.head(), flush=True))
log.close()
"""


def ingest_until_killed(source: Path, database: Path, fault: str) -> tuple[int, int]:
    """Run ingest in a process of its own; its exit code and the last position that it acknowledged."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, str(source), str(database)],
        env=os.environ | {"FRESHTUNE_FAULT": fault},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    return run.returncode, int(run.stdout.split()[-1]) if run.stdout else 0


@pytest.mark.real
def test_nothing_acknowledged_is_lost_over_fifty_kills(tmp_path: Path) -> None:
    source, database = tmp_path / "events.jsonl", tmp_path / "events.db"
    lines = [json.dumps({"id": f"e{number}", "text": f"第{number}条"}) + "\n" for number in range(RECORDS)]
    source.write_text("".join(lines), encoding="utf-8")
    acknowledged = kills = 0
    for point in POINTS:
        for hit in HITS:
            code, last = ingest_until_killed(source, database, f"ingest:{point}:{hit}")
            assert code == -signal.SIGKILL
            kills += 1
            acknowledged = max(acknowledged, last)
            log = SqliteEventLog(database)
            found = [event.id for event in log.read(LogRange(0, RECORDS))]
            log.close()
            assert len(found) >= acknowledged
            assert found == [f"e{number}" for number in range(len(found))]
    assert kills == 50
    code, last = ingest_until_killed(source, database, "")
    assert (code, last) == (0, RECORDS)
    connection = apsw.Connection(str(database))
    assert connection.execute("SELECT count(*), max(position) FROM events").get == (RECORDS, RECORDS)
    assert connection.pragma("integrity_check") == "ok"
    connection.close()


@pytest.mark.real
def test_a_fault_that_is_not_named_kills_nothing(tmp_path: Path) -> None:
    source = tmp_path / "events.jsonl"
    source.write_text('{"id": "a", "text": "ok"}\n', encoding="utf-8")
    assert ingest_until_killed(source, tmp_path / "events.db", "ingest:after:1") == (0, 1)
