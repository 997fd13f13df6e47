"""The long-lived things of one process: opened once, handed down, closed together."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from runtime.db.transaction import Database
from runtime.events.bus import Bus
from runtime.events.event import CancelBell, Event
from runtime.files.storage import Storage
from runtime.gateway import Gateway, UpstreamConfig
from runtime.jobs import Job, JobSender
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Resources:
    """What the API, and each worker process, works with. Belongs to one event loop."""

    settings: Settings
    db: Database
    bus: Bus
    gateway: Gateway
    storage: Storage
    jobs: JobSender


@contextlib.asynccontextmanager
async def open_resources(
    settings: Settings, *, pool_size: int = 8
) -> AsyncIterator[Resources]:
    """Open everything for as long as the block lasts. Nothing is connected yet.

    Args:
        settings: the process' configuration.
        pool_size: database connections kept; as many again while there is need.
    """
    bus = Bus(settings.effective_redis_url)
    jobs = JobSender(settings.effective_redis_url)

    async def deliver(outbox: list[Any]) -> None:
        events = [entry for entry in outbox if isinstance(entry, Event)]
        names = [entry.name for entry in outbox if isinstance(entry, Job)]
        # Events before nudges: a quick worker's own would overtake them, and Redis
        # refuses what comes with a smaller number.
        if events:
            await bus.append(events)
        if names:
            jobs.send(names)
        for entry in outbox:
            if isinstance(entry, CancelBell):
                await bus.ring_cancel(entry.run_id)

    db = Database(
        settings.effective_database_url,
        pool_size=pool_size,
        max_overflow=pool_size,
        deliver=deliver,
    )
    gateway = Gateway.open(
        UpstreamConfig(
            base_url=settings.openai_base_url,
            api_key=settings.openai_api_key,
            first_token_timeout_seconds=settings.first_token_seconds,
            between_tokens_timeout_seconds=settings.between_tokens_seconds,
            max_attempts=settings.upstream_attempts,
            fallback_models=tuple(
                name for name in settings.fallback_models.split(",") if name
            ),
        ),
        embedding_model=settings.embedding_model,
    )
    storage = Storage(settings.effective_storage_url)
    try:
        yield Resources(settings, db, bus, gateway, storage, jobs)
    finally:
        await jobs.close()
        await gateway.close()
        await bus.close()
        await db.close()
