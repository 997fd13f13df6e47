"""Taking away: files out of stores, files altogether, what stores hold.

Locks are taken in one order everywhere: store, file, store files by key, statistics.
"""

from sqlalchemy import ColumnElement, CursorResult, delete, func, select, text, update

from runtime.db.transaction import Session
from runtime.errors import NotFound
from runtime.files.models import File
from runtime.files.service import is_live
from runtime.projects.models import Project
from runtime.vector_stores.models import (
    StoreFile,
    StoreFileStatus,
    StoreLexeme,
    StoreStats,
    VectorStore,
)
from runtime.vector_stores.statistics import remove_statistics

# One statement ends within seconds, however large the store.
_BITE = 5_000


async def remove_store_files(session: Session, which: ColumnElement[bool]) -> int:
    """Take files out of their stores, with chunks and statistics; how many there were.

    A worker that is reading one of them finds its row gone and stops.
    """
    pks = list(
        await session.scalars(
            select(StoreFile.pk).where(which).order_by(StoreFile.pk).with_for_update()
        )
    )
    if pks:
        await remove_statistics(session, pks)
        await session.execute(delete(StoreFile).where(StoreFile.pk.in_(pks)))
    return len(pks)


async def delete_file_everywhere(
    session: Session, project: Project, file_id: str
) -> File:
    """Delete a file: out of every store, its row a tombstone.

    Its bytes go after the commit (`files.service.remove_bytes`).

    Raises:
        NotFound: this project has no such file.
    """
    file = await session.scalar(
        select(File)
        .where(File.project_id == project.id, File.id == file_id, is_live())
        .with_for_update(key_share=True)
    )
    if file is None:
        raise NotFound("file", file_id)
    await _bury(session, [file.pk])
    return file


async def expire_files(session: Session, limit: int = 100) -> int:
    """Delete files whose time is over, at most `limit`; how many there were."""
    pks = list(
        await session.scalars(
            select(File.pk)
            .where(
                File.deleted_at.is_(None),
                File.expires_at.is_not(None),
                File.expires_at <= func.now(),
            )
            .order_by(File.expires_at)
            .limit(limit)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )
    if pks:
        await _bury(session, pks)
    return len(pks)


async def expire_stores(session: Session, limit: int = 1) -> int:
    """Empty stores that were deleted or have expired, at most `limit`; how many.

    An expired store stays to be looked at, with the list of its files; what could be
    searched is gone. One at a time, and called until there is none: a large store takes
    a while, and what is held of two is held in nobody's order.
    """
    stores = list(
        await session.scalars(
            select(VectorStore)
            .where(
                VectorStore.emptied_at.is_(None),
                VectorStore.deleted_at.is_not(None)
                | VectorStore.expires_at.is_not(None),
                VectorStore.deleted_at.is_not(None)
                | (VectorStore.expires_at <= func.now()),
            )
            .limit(limit)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )
    for store in stores:
        await _empty(session, store)
    return len(stores)


async def cancel_ingestion(session: Session, which: ColumnElement[bool]) -> int:
    """Let files that are still being read be `cancelled`; how many there were."""
    reading = (
        select(StoreFile.pk)
        .where(which, StoreFile.status == StoreFileStatus.IN_PROGRESS)
        .order_by(StoreFile.pk)
        .with_for_update()
    )
    pks = list(await session.scalars(reading))
    if pks:
        await session.execute(
            update(StoreFile)
            .where(StoreFile.pk.in_(pks))
            .values(
                status=StoreFileStatus.CANCELLED,
                lease_owner=None,
                lease_expires_at=None,
            )
        )
    return len(pks)


async def _bury(session: Session, file_pks: list[int]) -> None:
    await session.execute(
        update(File).where(File.pk.in_(file_pks)).values(deleted_at=func.now())
    )
    await remove_store_files(session, StoreFile.file_pk.in_(file_pks))


async def _empty(session: Session, store: VectorStore) -> None:
    await _lock_contents(session, store)
    await cancel_ingestion(session, StoreFile.store_pk == store.pk)
    for table in ("windows", "chunks"):
        await _delete_in_bites(session, table, store.pk)
    for statistics in (StoreLexeme, StoreStats):
        await session.execute(delete(statistics).where(statistics.store_pk == store.pk))
    await session.execute(
        update(StoreFile).where(StoreFile.store_pk == store.pk).values(usage_bytes=0)
    )
    await session.execute(
        update(VectorStore)
        .where(VectorStore.pk == store.pk)
        .values(emptied_at=func.now())
    )


async def _lock_contents(session: Session, store: VectorStore) -> None:
    """Hold a store's files and statistics, before its chunks are touched."""
    for query in (
        select(StoreFile.pk)
        .where(StoreFile.store_pk == store.pk)
        .order_by(StoreFile.pk),
        select(StoreStats.store_pk).where(StoreStats.store_pk == store.pk),
    ):
        await session.execute(query.with_for_update())


async def _delete_in_bites(session: Session, table: str, store_pk: int) -> None:
    statement = text(
        f"DELETE FROM {table} WHERE pk IN"
        f" (SELECT pk FROM {table} WHERE store_pk = :store_pk LIMIT {_BITE})"
    )
    while True:
        result = await session.execute(statement, {"store_pk": store_pk})
        if not isinstance(result, CursorResult) or result.rowcount < _BITE:
            return
