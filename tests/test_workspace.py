"""The workspace folder: made once, private where it must be, refused where it is none."""

import stat
from pathlib import Path

import orjson
import pytest

from freshtune.errors import ConfigurationError, IntegrityError, UsageError
from freshtune.intake.event_log import SqliteEventLog
from freshtune.workspace import SCHEMA_VERSION, create_workspace, open_workspace

PHONE = "请打 13800138000"


def test_it_is_made_once_and_opens_again(tmp_path: Path) -> None:
    made = create_workspace(tmp_path / "店" / "shop", ["[tasks.sentiment]", ""])
    assert open_workspace(made.root) == made
    assert (made.root / "freshtune.toml").read_text("utf-8").startswith("[tasks.sentiment]")
    with pytest.raises(UsageError, match="not empty") as refused:
        create_workspace(made.root, [])
    assert refused.value.mend


def test_an_empty_folder_becomes_one_and_a_full_one_does_not(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    create_workspace(empty, [])
    with pytest.raises(UsageError):
        create_workspace(full, [])
    assert [path.name for path in full.iterdir()] == ["notes.txt"]


def test_the_salt_is_private_and_its_own(tmp_path: Path) -> None:
    one, two = (create_workspace(tmp_path / name, []) for name in ("one", "two"))
    assert stat.S_IMODE((one.root / "salt").stat().st_mode) == 0o600
    assert (one.root / "salt").read_bytes() != (two.root / "salt").read_bytes()
    tokens = {shop.masker.mask(PHONE).text for shop in (one, two, open_workspace(one.root))}
    assert len(tokens) == 2, "the same person has one token in a shop, another in the next"
    assert not any("13800138000" in token for token in tokens)


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_lost_salt_is_told(tmp_path: Path, damage: str) -> None:
    shop = create_workspace(tmp_path / "shop", [])
    (shop.root / "salt").unlink()
    if damage == "empty":
        (shop.root / "salt").write_bytes(b"")
    with pytest.raises(IntegrityError, match="salt") as refused:
        _ = shop.masker
    assert "backup" in refused.value.mend


@pytest.mark.parametrize(
    "mark", [None, b"", b"[]", b"{}", b'{"schema_version": "x"}', b'{"schema_version": null}', b"\xff"]
)
def test_a_folder_that_is_none_is_refused(tmp_path: Path, mark: bytes | None) -> None:
    if mark is not None:
        (tmp_path / "workspace.json").write_bytes(mark)
    with pytest.raises(ConfigurationError, match="no workspace") as refused:
        open_workspace(tmp_path)
    assert "freshtune init" in refused.value.mend


def test_a_newer_one_is_refused_and_left_alone(tmp_path: Path) -> None:
    shop = create_workspace(tmp_path / "shop", [])
    newer = orjson.dumps({"schema_version": SCHEMA_VERSION + 1})
    (shop.root / "workspace.json").write_bytes(newer)
    with pytest.raises(IntegrityError, match="newer"):
        open_workspace(shop.root)
    assert (shop.root / "workspace.json").read_bytes() == newer
    assert not (shop.root / "events.db").exists()


def test_an_older_one_is_refused_with_the_way_on(tmp_path: Path) -> None:
    shop = create_workspace(tmp_path / "shop", [])
    (shop.root / "workspace.json").write_bytes(orjson.dumps({"schema_version": SCHEMA_VERSION - 1}))
    with pytest.raises(IntegrityError, match="older") as refused:
        open_workspace(shop.root)
    assert "freshtune init" in refused.value.mend


def test_stores_open_when_they_are_first_asked_for(tmp_path: Path) -> None:
    shop = create_workspace(tmp_path / "shop", [])
    assert {path.name for path in shop.root.iterdir()} == {"freshtune.toml", "workspace.json", "salt", "runs"}
    assert shop.events.head() == 0
    assert shop.registry.live_id("sentiment") is None
    assert shop.events is shop.events
    assert shop.registry is shop.registry
    assert isinstance(shop.events, SqliteEventLog)
    shop.events.close()
    shop.registry.close()


def test_everything_lies_inside_the_folder(tmp_path: Path) -> None:
    shop = create_workspace(tmp_path / "shop", [])
    places = (shop.keys_path, shop.run_folder("sentiment"), shop.cache, shop.checkouts)
    assert all(place.is_relative_to(shop.root) for place in places)
    assert len(set(places)) == len(places)
