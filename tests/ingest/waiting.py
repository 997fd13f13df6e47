"""Files that wait to be read, and what became of them."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update

from runtime.db.transaction import Database
from runtime.ingest.claim import FileClaim, take
from runtime.ingest.pipeline import Ingest
from runtime.vector_stores.models import (
    Chunk,
    StoreFile,
    StoreFileStatus,
    VectorStore,
    Window,
)
from tests.support.make import Make
from tests.support.turns import Turn, hangs
from tests.support.upstream import Upstream

IN_PROGRESS = StoreFileStatus.IN_PROGRESS
PROSE = "Basalt floods fill the lunar seas. Their iron makes them dark.\n\n" * 60

# Ingestion that embeds by this scripted model.
OpenUpstream = Callable[[str], Ingest]


async def waiting_file(
    make: Make,
    content: bytes | str = PROSE,
    filename: str = "moon.txt",
    store: VectorStore | None = None,
    **fields: Any,
) -> StoreFile:
    store = store or await make.store()
    file = await make.file(content, filename=filename)
    return await make.store_file(store, status=IN_PROGRESS, file=file, **fields)


def hanging(upstream: Upstream) -> tuple[str, asyncio.Event]:
    """A model that never answers, and an event that says when it was asked."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def turn(_: dict[str, Any]) -> Turn:
        loop.call_soon_threadsafe(asked.set)
        return hangs()

    return upstream.script(turn, repeat=True), asked


async def read(db: Database, row: StoreFile) -> StoreFile:
    async with db.transaction() as session:
        return await session.get_one(StoreFile, row.pk)


async def chunks_of(db: Database, row: StoreFile) -> list[Chunk]:
    query = select(Chunk).where(Chunk.store_file_pk == row.pk).order_by(Chunk.ordinal)
    async with db.transaction() as session:
        return list(await session.scalars(query))


async def windows_of(db: Database, row: StoreFile) -> list[Window]:
    query = select(Window).where(Window.store_file_pk == row.pk).order_by(Window.pk)
    async with db.transaction() as session:
        return list(await session.scalars(query))


async def claimed(db: Database, **options: Any) -> FileClaim:
    claim = await take(db, "w", **{"lease_seconds": 60, "max_attempts": 5, **options})
    assert claim is not None
    return claim


async def let_lease_run_out(db: Database, claim: FileClaim) -> None:
    async with db.transaction() as session:
        await session.execute(
            update(StoreFile)
            .where(StoreFile.pk == claim.store_file.pk)
            .values(lease_expires_at=func.clock_timestamp() - timedelta(seconds=1))
        )
