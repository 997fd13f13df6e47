"""A stand-in upstream for all of these tests, and gateways that lose patience quickly."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

import pytest

from runtime.gateway import Gateway, UpstreamConfig
from tests.support.upstream import Upstream


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


class Open(Protocol):
    """Opens a gateway to the stand-in; any field of its configuration can be given."""

    def __call__(self, *, embedding_model: str = ..., **config: Any) -> Gateway: ...


@pytest.fixture
async def open_gateway(upstream: Upstream) -> AsyncIterator[Open]:
    opened: list[Gateway] = []

    def open(*, embedding_model: str = "local", **config: Any) -> Gateway:
        quick: dict[str, Any] = {
            "base_url": upstream.base_url,
            "api_key": "sk-runtime-secret",
            "connect_timeout_seconds": 0.5,
            "first_token_timeout_seconds": 5,
            "between_tokens_timeout_seconds": 5,
            "backoff_seconds": 0.005,
            "max_backoff_seconds": 0.01,
            "breaker_cooldown_seconds": 0.05,
        }
        settings = UpstreamConfig(**{**quick, **config})
        opened.append(Gateway.open(settings, embedding_model=embedding_model))
        return opened[-1]

    yield open
    for gateway in opened:
        await gateway.close()


@pytest.fixture
def gateway(open_gateway: Open) -> Gateway:
    return open_gateway()


@pytest.fixture
def builtin(open_gateway: Open) -> Gateway:
    """A gateway without an upstream."""
    return open_gateway(base_url=None, api_key=None)
