"""registry.db: durable, of a known version, and nobody else's."""

from pathlib import Path

import apsw
import pytest

from freshtune.errors import ConfigurationError, IntegrityError
from freshtune.ship.registry_schema import MIGRATIONS, open_registry_db


def version(path: Path) -> int:
    connection = apsw.Connection(str(path))
    found = int(connection.pragma("user_version"))
    connection.close()
    return found


def test_commits_are_on_disk(tmp_path: Path) -> None:
    connection = open_registry_db(tmp_path / "registry.db")
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    connection.close()


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    open_registry_db(path, [*MIGRATIONS, "CREATE TABLE later (x)"]).close()
    with pytest.raises(IntegrityError, match="newer freshtune"):
        open_registry_db(path)
    assert version(path) == len(MIGRATIONS) + 1


def test_an_older_file_is_migrated_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    older = open_registry_db(path)
    older.execute("UPDATE changes SET count = 41")
    older.close()
    newer = open_registry_db(
        path, [*MIGRATIONS, "ALTER TABLE changes ADD COLUMN note TEXT; UPDATE changes SET count = count + 1"]
    )
    assert newer.execute("SELECT count, note FROM changes").fetchall() == [(42, None)]
    newer.close()
    assert version(path) == len(MIGRATIONS) + 1


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    open_registry_db(path).close()
    with pytest.raises(apsw.SQLError):
        open_registry_db(path, [*MIGRATIONS, "CREATE TABLE later (x); nonsense"])
    assert version(path) == len(MIGRATIONS)
    open_registry_db(path).close()


def test_other_files_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with apsw.Connection(str(foreign)) as connection:
        connection.execute("CREATE TABLE notes (x)")
    connection.close()
    with pytest.raises(IntegrityError, match="another program"):
        open_registry_db(foreign)
    text = tmp_path / "text.db"
    text.write_text("这不是数据库 " * 200, encoding="utf-8")
    with pytest.raises(IntegrityError, match="no registry"):
        open_registry_db(text)
    assert text.read_text(encoding="utf-8").startswith("这不是")
    with pytest.raises(ConfigurationError):
        open_registry_db(tmp_path / "absent" / "registry.db")
