"""SQLite as every store here uses it: a write-ahead log, and patience with other processes."""

import time

import apsw


def keep_write_ahead_log(connection: apsw.Connection, patience_ms: int) -> None:
    """Wait for other processes up to ``patience_ms``, and bring the file to its write-ahead log.

    The patience covers transactions, but SQLite does not wait for the change of mode, which needs the file alone: of
    two processes that make a new file at once, one is told that it is busy. So that one is tried again.

    Args:
        connection: open, outside a transaction.
        patience_ms: longest wait of every later statement too.

    Raises:
        apsw.BusyError: others held the file all the time.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     connection = apsw.Connection(f"{folder}/shop.db")
    ...     keep_write_ahead_log(connection, 100)
    ...     connection.pragma("journal_mode")
    ...     connection.close()
    'wal'
    """
    connection.set_busy_timeout(patience_ms)
    last = time.monotonic() + patience_ms / 1000
    while connection.pragma("journal_mode") != "wal":
        try:
            connection.pragma("journal_mode", "wal")
            return
        except apsw.BusyError:
            if time.monotonic() > last:
                raise
            connection.execute("BEGIN IMMEDIATE; ROLLBACK")  # here the patience works
