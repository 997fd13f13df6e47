"""What a worker process does besides its jobs: beats, listens for cancels, sweeps."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from runtime import jobs
from runtime.engine.engine import Engine
from runtime.engine.sweep import end_orphaned_containers, sweep
from runtime.errors import Unavailable
from runtime.files.parts import remove_parts
from runtime.files.service import remove_bytes
from runtime.files.uploads import expire_uploads
from runtime.idempotency.service import forget_old
from runtime.ingest.claim import fail_lost, waiting_count
from runtime.ingest.pipeline import Ingest
from runtime.vector_stores.removal import expire_files, expire_stores

log = structlog.get_logger()

# Expired stores, files and uploads, bytes left behind: nobody waits for these.
_TIDY_SECONDS = 30
_MOST_STORES = 10
# Of 1000 idempotency keys each, as callers may bring hundreds a second.
_MOST_BATCHES = 100
# Whoever takes a nudge goes on until nothing waits, so these wake everybody.
_MOST_NUDGES = 50


def begin(engine: Engine, ingest: Ingest) -> list[asyncio.Task[None]]:
    """Start everything that goes on until the process ends."""
    times = engine.times

    async def beat() -> None:
        await engine.bus.heartbeat(engine.claims.owner, times.lease_seconds)
        await engine.claims.extend()

    async def sweep_runs() -> None:
        if await engine.bus.is_first("sweep-runs", times.sweep_seconds):
            room = _MOST_NUDGES - await engine.bus.waiting_jobs("runs")
            await sweep(
                engine.db,
                engine.bus,
                max_attempts=times.max_attempts,
                most_nudges=max(0, room),
            )

    async def sweep_files() -> None:
        if not await engine.bus.is_first("sweep-files", times.sweep_seconds):
            return
        await fail_lost(ingest.db, max_attempts=ingest.max_attempts)
        room = _MOST_NUDGES - await engine.bus.waiting_jobs("ingest")
        waiting = min(await waiting_count(ingest.db), room)
        async with ingest.db.transaction() as session:
            for _ in range(waiting):
                jobs.enqueue(session, jobs.INGEST_FILES)

    async def tidy() -> None:
        for _ in range(_MOST_STORES):
            # One each: a large store takes a while, and holds what others wait for.
            async with ingest.db.transaction() as session:
                if not await expire_stores(session):
                    break
        async with ingest.db.transaction() as session:
            await expire_files(session)
        async with ingest.db.transaction() as session:
            await expire_uploads(session)
        for _ in range(_MOST_BATCHES):
            async with ingest.db.transaction() as session:
                if not await forget_old(session):
                    break
        await remove_bytes(ingest.db, ingest.storage)
        await remove_parts(ingest.db, ingest.storage)
        if engine.sandbox is not None:
            await end_orphaned_containers(engine.db, engine.sandbox.end)

    return [
        asyncio.create_task(engine.gateway.warm()),
        asyncio.create_task(_for_ever(beat, times.heartbeat_seconds)),
        asyncio.create_task(_hear_cancels(engine)),
        asyncio.create_task(_for_ever(sweep_runs, times.sweep_seconds)),
        asyncio.create_task(_for_ever(sweep_files, times.sweep_seconds)),
        asyncio.create_task(_for_ever(tidy, _TIDY_SECONDS)),
    ]


async def _hear_cancels(engine: Engine) -> None:
    async for run_id in engine.bus.cancels():
        engine.claims.cancel(run_id)


async def _for_ever(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Do `work` every so often; a failure is logged, and it goes on."""
    while True:
        try:
            await work()
        except Unavailable:
            pass  # logged where it was met
        except Exception:
            log.exception("background work failed")
        await asyncio.sleep(seconds)
