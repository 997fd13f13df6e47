"""Redis' room: the stream of each run, the one reader that fans out, the cancel bell.

Redis may lose everything at any moment. What is written here is told, never kept: every
method that writes answers quickly and silently when Redis is away, and a follower that
hears nothing asks Postgres (`api/sse.py`).
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from runtime.events.event import Event
from runtime.events.follow import BLOCK_SECONDS, Follower, Reader, read_entry

log = structlog.get_logger()

_CANCELS = "assistants:cancelled-runs"
_WORKERS = "assistants:workers"
_STREAM_LENGTH = 20_000
_STREAM_SECONDS = 3600
_TIMEOUT_SECONDS = 2.0
# While Redis is away, ask only this often: each try may cost a time-out.
_RETRY_SECONDS = 1.0


class Bus:
    """The process' connection to Redis; belongs to one event loop."""

    def __init__(self, url: str, *, max_connections: int = 64) -> None:
        # Blocking: the default pool raises when it is full, and events would be lost.
        self._redis: Redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                url,
                max_connections=max_connections,
                timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                socket_timeout=_TIMEOUT_SECONDS,
            )
        )
        # The reader blocks for as long as nothing happens; a peer that is gone without
        # a word is found out a little after that.
        self._patient = Redis.from_url(
            url,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            socket_timeout=BLOCK_SECONDS + _TIMEOUT_SECONDS,
        )
        self._reader = Reader(self._patient)
        self._away_until = 0.0

    async def append(self, events: Iterable[Event]) -> None:
        """Add events to their streams, in order. Lost when Redis is away."""
        async with self._if_there() as there:
            if not there:
                return
            pipeline = self._redis.pipeline(transaction=False)
            streams = set()
            for event in events:
                streams.add(event.stream)
                pipeline.xadd(
                    event.stream,
                    {"name": event.name, "data": json.dumps(event.data)},
                    id=f"{event.number}-0",
                    maxlen=_STREAM_LENGTH,
                    approximate=True,
                )
            for stream in streams:
                pipeline.expire(stream, _STREAM_SECONDS)
            for answer in await pipeline.execute(raise_on_error=False):
                # A smaller number: a retry of what is there, or a worker given up for
                # dead. Both are to be dropped.
                if isinstance(answer, Exception) and "smaller" not in str(answer):
                    raise answer

    async def read(self, stream: str, after: int) -> list[Event]:
        """The events of a stream with numbers above `after`; none when Redis is away."""
        async with self._if_there() as there:
            if there:
                entries: Any = await self._redis.xrange(stream, min=f"({after}-0")
                return [read_entry(stream, *entry) for entry in entries]
        return []

    @contextlib.asynccontextmanager
    async def follow(self, stream: str, after: int) -> AsyncIterator[Follower]:
        """Follow a stream from behind `after`: each event once, in order."""
        follower = await self._reader.join(stream, after)
        try:
            follower.catch_up(await self.read(stream, after))
            yield follower
        finally:
            self._reader.leave(follower)

    async def ring_cancel(self, run_id: str) -> None:
        """Tell the worker that holds this run to look up. Its heartbeat is the guarantee."""
        async with self._if_there() as there:
            if there:
                await self._redis.publish(_CANCELS, run_id)

    async def cancels(self) -> AsyncIterator[str]:
        """Ids of runs to be cancelled, as they are rung, for ever."""
        while True:
            try:
                async with self._patient.pubsub() as pubsub:
                    await pubsub.subscribe(_CANCELS)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            yield message["data"].decode()
            except (RedisError, OSError):
                await asyncio.sleep(_RETRY_SECONDS)

    async def ping(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(await self._redis.ping())
        except (RedisError, OSError):
            return False

    async def heartbeat(self, worker: str, seconds: float) -> None:
        """Let it be known for `seconds` that this worker lives."""
        async with self._if_there() as there:
            if there:
                now = time.time()
                await self._redis.zadd(_WORKERS, {worker: now + seconds})
                await self._redis.zremrangebyscore(_WORKERS, 0, now)

    async def workers(self) -> list[str]:
        """The workers that have been heard of lately."""
        async with self._if_there() as there:
            if there:
                names: Any = await self._redis.zrangebyscore(
                    _WORKERS, time.time(), "+inf"
                )
                return [name.decode() for name in names]
        return []

    async def is_first(self, what: str, seconds: float) -> bool:
        """Whether nobody has asked this for so long: of many, one does the work.

        When Redis is away everybody is first: the work is done twice rather than never.
        """
        async with self._if_there() as there:
            if there:
                key, pause_ms = f"assistants:turn:{what}", max(1, int(seconds * 900))
                return bool(await self._redis.set(key, 1, nx=True, px=pause_ms))
        return True

    async def waiting_jobs(self, queue: str) -> int:
        """How many nudges of this queue nobody has taken; 0 when Redis is away."""
        async with self._if_there() as there:
            if there:
                # Celery's queue is a Redis list of that name.
                length: Any = await self._redis.llen(queue)
                return int(length)
        return 0

    async def close(self) -> None:
        """Stop reading and close all connections."""
        await self._reader.close()
        await self._patient.aclose()
        # A pool that was handed over is not closed by itself.
        await self._redis.aclose(close_connection_pool=True)

    @contextlib.asynccontextmanager
    async def _if_there(self) -> AsyncIterator[bool]:
        """False, or a failure swallowed and remembered, when Redis is away."""
        try:
            yield time.monotonic() >= self._away_until
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + _RETRY_SECONDS
            log.warning("redis away", reason=type(error).__name__)
