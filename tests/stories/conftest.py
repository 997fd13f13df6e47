"""What stories of lost parts begin with: a runtime of their own, so that they may kill it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.stories.house import House, OwnRedis, open_house
from tests.support import services
from tests.support.upstream import Upstream


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis.sock")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def house(upstream: Upstream, own_redis: OwnRedis) -> AsyncIterator[House]:
    name = f"house_{services.worker_name()}"
    url = services.clone_database(name)
    async with open_house(upstream, database_url=url, redis_url=own_redis.url) as it:
        yield it
