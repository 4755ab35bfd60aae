"""The demo's service: a process of its own that the demo must never hold up."""

from pathlib import Path
from urllib.error import HTTPError

import pytest

from freshtune.demo.play import SALT, SETTINGS, TASK
from freshtune.demo.service import running_service
from freshtune.errors import FreshtuneError
from freshtune.workspace import create_workspace

pytestmark = pytest.mark.real


def test_a_service_that_logs_more_than_a_pipe_holds_goes_on_answering(tmp_path: Path) -> None:
    create_workspace(tmp_path / "shop", SETTINGS, SALT)
    with running_service(tmp_path / "shop") as service:
        for _ in range(600):
            with pytest.raises(HTTPError, match="503"):
                service.ask(TASK, "好")
    assert (tmp_path / "shop" / "serve.log").stat().st_size > 65_536


def test_a_service_that_does_not_start_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(FreshtuneError, match=r"serve\.log"), running_service(tmp_path):
        pass
