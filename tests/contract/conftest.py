from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from enrollments.light.client import LightClient
from enrollments.light.dialect import Dialect
from enrollments.light.transport import Exchange
from tests.contract.scripted_light import ScriptedLight, scripted_light

NOW = datetime(2026, 5, 4, 16, 20, tzinfo=UTC)
ClientMaker = Callable[..., LightClient]


@pytest.fixture
def light() -> Iterator[ScriptedLight]:
    with scripted_light() as server:
        yield server


@pytest.fixture
def exchanges() -> list[Exchange]:
    return []


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def make_client(light: ScriptedLight, exchanges: list[Exchange], pauses: list[float]) -> Iterator[ClientMaker]:
    made: list[LightClient] = []

    def make(*, dialect: Dialect | None = None, base_url: str | None = None) -> LightClient:
        client = LightClient(
            base_url=base_url or light.base_url,
            app_token="app-token-of-the-test",
            dialect=dialect,
            connect_timeout_seconds=1,
            read_timeout_seconds=0.3,
            observe=exchanges.append,
            clock=lambda: NOW,
            pause=pauses.append,
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: ClientMaker) -> LightClient:
    return make_client()
