"""Floors: what this machine does at best, with the same stores and libraries."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from runtime.jobs import make_celery
from runtime.local.listener import address, listen
from tests.bench import floor_api
from tests.bench.children import running
from tests.bench.measure import median
from tests.bench.up import Up

# What `floor_worker` and its caller agree on.
REDIS_URL = "FLOOR_REDIS_URL"
NOOP = "floor.noop"
ANSWERS = "bench:floor:answers"

_QUEUE = "floor"
_NUDGE_SECONDS = 30
_STREAM = "bench:floor:stream"
_BLOCK_MS = 10_000


def commit_seconds(up: Up, samples: int) -> float:
    """One row changed and committed, durably, on one connection (median)."""
    change = "UPDATE floor_row SET n = n + 1"
    with psycopg.connect(up.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS floor_row (n bigint)")
        connection.execute("INSERT INTO floor_row VALUES (0)")
        return median(
            [_timed(lambda: connection.execute(change)) for _ in range(samples)]
        )


def nudge_seconds(up: Up, samples: int) -> float:
    """A Celery task that does nothing, from sending it to hearing of it (median)."""
    app = make_celery(up.redis_url)
    options = ["-Q", _QUEUE, "-P", "threads", "-c", "8", "-l", "error"]
    options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]

    def nudge() -> None:
        app.send_task(NOOP, queue=_QUEUE)
        if redis.blpop([ANSWERS], timeout=_NUDGE_SECONDS) is None:
            raise RuntimeError("The worker that does nothing did not answer.")

    with (
        Redis.from_url(up.redis_url) as redis,
        running(
            *("celery", "-A", "tests.bench.floor_worker", "worker", *options),
            environment={REDIS_URL: up.redis_url},
        ),
    ):
        nudge()  # answered once it has started
        seconds = median([_timed(nudge) for _ in range(samples)])
    app.close()
    return seconds


async def one_row_seconds(database_url: str, samples: int) -> float:
    """One row read on an open connection (median); an SQLAlchemy URL."""
    url = database_url.replace("postgresql+psycopg", "postgresql", 1)
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True
    ) as connection:
        taken = []
        for _ in range(samples):
            began = time.perf_counter()
            await (await connection.execute("SELECT 1")).fetchone()
            taken.append(time.perf_counter() - began)
    return median(taken)


async def stream_seconds(up: Up, samples: int) -> float:
    """One entry through a Redis stream to a reader that waits (median)."""
    taken = []
    async with AsyncRedis.from_url(up.redis_url) as redis:
        for number in range(1, samples + 1):
            reading = asyncio.ensure_future(
                redis.xread({_STREAM: f"{number - 1}-0"}, block=_BLOCK_MS)
            )
            await asyncio.sleep(0)  # it waits now
            began = time.perf_counter()
            await redis.xadd(_STREAM, {"data": b"x" * 200}, id=f"{number}-0")
            await reading
            taken.append(time.perf_counter() - began)
        await redis.delete(_STREAM)
    return median(taken)


@contextmanager
def least_api(up: Up) -> Iterator[int]:
    """The port of an API that does next to nothing, on the same database."""
    with psycopg.connect(up.database_url, autocommit=True) as connection:
        connection.execute(floor_api.CREATE_TABLE)
    with (
        listen("127.0.0.1", 0) as listener,
        running(
            *("tests.bench.floor_api", str(listener.fileno())),
            up.settings.effective_database_url,
            keep_open=[listener.fileno()],
        ),
    ):
        yield address(listener)[1]


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
