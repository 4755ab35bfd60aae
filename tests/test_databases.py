"""A new file that several open at once is a write-ahead log for all; a file in use is waited for, not for ever."""

import threading
from pathlib import Path

import apsw
import pytest

from freshtune.databases import keep_write_ahead_log


def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    openers, failures = 6, list[BaseException]()
    for turn in range(30):
        together = threading.Barrier(openers)

        def opens(path: str, together: threading.Barrier) -> None:
            connection = apsw.Connection(path)
            try:
                together.wait()
                keep_write_ahead_log(connection, 30_000)
                connection.execute("CREATE TABLE IF NOT EXISTS facts (value)")
                connection.execute("INSERT INTO facts VALUES (1)")
            except BaseException as error:
                failures.append(error)
            finally:
                connection.close()

        path = str(tmp_path / f"{turn}.db")
        threads = [threading.Thread(target=opens, args=(path, together)) for _ in range(openers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        connection = apsw.Connection(path)
        assert failures == []
        assert connection.pragma("journal_mode") == "wal"
        assert connection.execute("SELECT count(*) FROM facts").get == openers
        connection.close()


def test_a_file_that_is_never_free_is_given_up(tmp_path: Path) -> None:
    holder, other = (apsw.Connection(str(tmp_path / "held.db")) for _ in range(2))
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(apsw.BusyError):
        keep_write_ahead_log(other, 20)
    holder.execute("ROLLBACK")
    keep_write_ahead_log(other, 20)
    holder.close()
    other.close()
