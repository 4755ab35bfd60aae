"""Fixtures of the serving tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from freshtune.serve.app import create_app
from freshtune.serve.service import Service
from tests.serve.tiny_service import TinyShop, open_shop
from tests.serve.waiting import until

OpenClient = Callable[[Service, str | None], TestClient]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    """Stores with nothing live."""
    opened = open_shop(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def live_shop(shop: TinyShop) -> TinyShop:
    """Stores with a live release of sentiment and rating; relevance has none."""
    shop.train_live("sentiment", 1)
    shop.train_live("rating", 2)
    return shop


@pytest.fixture
def client_of() -> Iterator[OpenClient]:
    """Starts a service's application and gives a client that presents a key."""
    with ExitStack() as stack:

        def opened(service: Service, key: str | None) -> TestClient:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            client = TestClient(create_app(service), "http://127.0.0.1", headers=headers, raise_server_exceptions=False)
            stack.enter_context(client)
            until(lambda: client.get("/readyz").status_code == 200)
            return client

        yield opened


@pytest.fixture
def client(live_shop: TinyShop, client_of: OpenClient) -> TestClient:
    """An administrator's client of the live shop."""
    return client_of(live_shop.service(), live_shop.key["admin"])


@pytest.fixture(scope="session")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An administrator's client for tests that change nothing that another one sees."""
    shop = open_shop(tmp_path_factory.mktemp("shared"))
    shop.train_live("sentiment", 1)
    shop.train_live("rating", 2)
    headers = {"Authorization": f"Bearer {shop.key['admin']}"}
    with TestClient(create_app(shop.service()), "http://127.0.0.1", headers=headers) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        yield client
    shop.close()
