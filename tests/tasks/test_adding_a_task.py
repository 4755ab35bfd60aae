"""A task is one file and one line in TASKS: from there it is trained, updated, judged and served as any other."""

from pathlib import Path
from typing import cast

import pytest
from starlette.testclient import TestClient

from freshtune import front_door
from freshtune.intake.mapping import ColumnMapping
from freshtune.records import Json
from freshtune.serve.app import create_app, service_of
from freshtune.serve.service import ServeSettings
from freshtune.tasks import TASKS
from tests.serve.waiting import until
from tests.small_shop import asked, backbone, close, make_shop
from tests.tasks.urgency import Urgency

pytestmark = pytest.mark.usefixtures("own_cache")

MESSAGES = ColumnMapping(text="text", label="label", id="id", task="urgency")


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast(dict[str, type], TASKS), "urgency", Urgency)


def messages(start: int, stop: int) -> list[dict[str, Json]]:
    """Who is angry is answered within the hour."""
    rows = asked(start, stop, ("refund", "delivery"))
    return [row | {"label": 0.5 if row["label"] == "refund" else 20} for row in rows]


def test_one_file_and_one_line_are_enough(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", backbone(tmp_path / "backbone"), ("urgency",))
    report = shop.ingest([*messages(0, 300), {"id": "bad", "text": "lamp", "label": -3}], MESSAGES)
    assert (report.kept, report.dead_letters) == (300, {"bad_label": 1})
    first = shop.train("urgency")
    assert first.verdict.promote, first.verdict.reasons
    shop.ingest(messages(300, 500), MESSAGES)
    second = shop.update("urgency")
    assert second.verdict.promote or second.verdict.undecided, second.verdict.reasons
    assert next(iter(second.scorecards["new"].metrics)) == "balanced_accuracy"
    service = service_of(shop.store, shop.settings.tasks, ServeSettings(), with_keys=False)
    with TestClient(create_app(service), "http://127.0.0.1") as client:
        until(lambda: client.get("/readyz").status_code == 200)
        asked_for = {"inputs": [{"text": "angry 破损 angry"}, {"text": "happy 满意 happy"}]}
        answers = client.post("/v1/predict/urgency", json=asked_for).json()["answers"]
    assert [answer["label"] for answer in answers] == ["now", "later"]
    close(shop)


def test_its_settings_are_its_fields(tmp_path: Path) -> None:
    front_door.create(tmp_path / "shop", ["urgency"])
    shop = front_door.open(tmp_path / "shop", ["tasks.urgency.hours=24"])
    assert shop.task("urgency").label(20) == "now"
    close(shop)
