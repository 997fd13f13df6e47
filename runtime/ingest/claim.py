"""Which process reads which file: claims are taken, kept alive, shown, given up.

The same plan as for runs (`engine/claim.py`): a fresh fencing token (`attempt`) with
every claim, a lease, and whoever comes after a dead worker. What a worker writes, it
writes under its claim; one given up for dead finds no row and drops everything.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text, update

from runtime.db.transaction import Database, Session
from runtime.errors import Unavailable
from runtime.files.models import File
from runtime.vector_stores.models import StoreFile, StoreFileStatus, VectorStore

log = structlog.get_logger()

_LOST_REPEATEDLY = (
    "The process that read this file was lost repeatedly; the file was given up."
)
_FAIL_LOST_BATCH = 100
# Whoever counts wants to know how often to ring, not how long the queue is.
_COUNT_AT_MOST = 1_000

_CHOOSE = text(
    """
    WITH RECURSIVE
    -- The projects with files in progress, each found by one step in the index.
    waiting(project_id) AS (
        (SELECT project_id FROM store_files WHERE status = 'in_progress'
         ORDER BY project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT s.project_id FROM store_files s
                WHERE s.status = 'in_progress' AND s.project_id > w.project_id
                ORDER BY s.project_id LIMIT 1)
        FROM waiting w WHERE w.project_id IS NOT NULL
    ),
    -- Who has the fewest being read goes first, however many it has sent.
    fair AS (
        SELECT w.project_id,
               (SELECT count(*) FROM store_files s
                WHERE s.status = 'in_progress' AND s.project_id = w.project_id
                  AND s.lease_expires_at > clock_timestamp()) AS in_hand
        FROM waiting w WHERE w.project_id IS NOT NULL
        ORDER BY in_hand, random()
    )
    SELECT s.pk FROM fair CROSS JOIN LATERAL (
        SELECT pk FROM store_files
        WHERE status = 'in_progress' AND project_id = fair.project_id
          AND available_at <= clock_timestamp() AND attempt < :max_attempts
          AND (lease_expires_at IS NULL OR lease_expires_at < clock_timestamp())
        ORDER BY available_at, pk LIMIT 1 FOR UPDATE SKIP LOCKED
    ) s LIMIT 1
    """
)


class ClaimLost(Exception):
    """The file was taken away, cancelled, or given to another: nothing may be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClaim:
    """The right to read one file into one store. The rows are snapshots."""

    db: Database
    lease: timedelta
    store_file: StoreFile
    file: File
    store: VectorStore

    async def while_held(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, and extend the lease meanwhile.

        Raises:
            ClaimLost: the claim is not good any more; the work was stopped.
            Exception: whatever the work raised.
        """
        working = asyncio.create_task(work)
        beating = asyncio.create_task(self._beat_until_lost())
        try:
            done, _ = await asyncio.wait(
                {working, beating}, return_when=asyncio.FIRST_COMPLETED
            )
            if working not in done:
                raise ClaimLost
            working.result()
        finally:
            working.cancel()
            beating.cancel()
            await asyncio.gather(working, beating, return_exceptions=True)

    async def show(self, session: Session) -> StoreFile:
        """The file's row, locked until this transaction ends.

        Raises:
            ClaimLost: the claim is not good any more.
        """
        row = await session.scalar(
            select(StoreFile).where(self._is_good()).with_for_update()
        )
        if row is None:
            raise ClaimLost
        return row

    async def fail(self, code: str, message: str) -> None:
        """End the file's ingestion for good.

        Raises:
            ClaimLost: the claim is not good any more.
        """
        async with self.db.transaction() as session:
            row = await self.show(session)
            row.status = StoreFileStatus.FAILED
            row.error_code, row.error_message = code, message
            row.lease_owner = row.lease_expires_at = None

    async def give_back(self, *, after_seconds: float = 0) -> None:
        """Let anybody claim the file again, so much later.

        Raises:
            ClaimLost: the claim is not good any more.
        """
        async with self.db.transaction() as session:
            row = await self.show(session)
            now = await session.database_now()
            row.available_at = now + timedelta(seconds=after_seconds)
            row.lease_owner = row.lease_expires_at = None

    def _is_good(self) -> ColumnElement[bool]:
        return and_(
            StoreFile.pk == self.store_file.pk,
            StoreFile.attempt == self.store_file.attempt,
            StoreFile.lease_owner == self.store_file.lease_owner,
            StoreFile.status == StoreFileStatus.IN_PROGRESS,
        )

    async def _beat_until_lost(self) -> None:
        while True:
            await asyncio.sleep(self.lease.total_seconds() / 3)
            with contextlib.suppress(Unavailable):  # logged where it was met
                if not await self._extend():
                    return

    async def _extend(self) -> bool:
        """Extend the lease; whether the claim is still good."""
        # Skipped when locked: the work itself may be writing under this claim, and
        # that can take longer than a lock is waited for.
        free = select(StoreFile.pk).where(self._is_good())
        free = free.with_for_update(skip_locked=True)
        async with self.db.transaction() as session:
            extended = await session.execute(
                update(StoreFile)
                .where(StoreFile.pk.in_(free.scalar_subquery()))
                .values(lease_expires_at=func.clock_timestamp() + self.lease)
                .returning(StoreFile.pk)
                .execution_options(synchronize_session=False)
            )
            if extended.first() is not None:
                return True
            good = select(exists().where(self._is_good()))
            return bool(await session.scalar(good))


async def take(
    db: Database, owner: str, *, lease_seconds: float, max_attempts: int
) -> FileClaim | None:
    """Claim the file that has waited most fairly; None when none waits.

    Args:
        owner: a name for logs; what decides is the fencing token.
        lease_seconds: a worker silent for so long is given up for dead.
        max_attempts: files that were tried so often are left to `fail_lost`.
    """
    lease = timedelta(seconds=lease_seconds)
    async with db.transaction() as session:
        pk = await session.scalar(_CHOOSE, {"max_attempts": max_attempts})
        if pk is None:
            return None
        found = await session.execute(
            select(StoreFile, File, VectorStore)
            .join(File, File.pk == StoreFile.file_pk)
            .join(VectorStore, VectorStore.pk == StoreFile.store_pk)
            .where(StoreFile.pk == pk)
        )
        store_file, file, store = found.one()
        store_file.attempt += 1
        store_file.lease_owner = owner
        store_file.lease_expires_at = await session.database_now() + lease
    return FileClaim(db=db, lease=lease, store_file=store_file, file=file, store=store)


async def fail_lost(db: Database, *, max_attempts: int) -> int:
    """Fail files whose workers were lost `max_attempts` times; how many there were.

    For the sweeper; `ingest_waiting` does it too.
    """
    lost = (
        select(StoreFile.pk)
        .where(_is_unheld(), StoreFile.attempt >= max_attempts)
        .limit(_FAIL_LOST_BATCH)
        .with_for_update(skip_locked=True)
    )
    async with db.transaction() as session:
        failed = await session.execute(
            update(StoreFile)
            .where(StoreFile.pk.in_(lost.scalar_subquery()))
            .values(
                status=StoreFileStatus.FAILED,
                error_code="server_error",
                error_message=_LOST_REPEATEDLY,
                lease_owner=None,
                lease_expires_at=None,
            )
            .returning(StoreFile.file_id)
            .execution_options(synchronize_session=False)
        )
        file_ids = list(failed.scalars())
    for file_id in file_ids:
        log.warning("file given up", file_id=file_id, attempts=max_attempts)
    return len(file_ids)


async def waiting_count(db: Database) -> int:
    """How many files wait for a worker now, up to 1,000: so often is worth ringing."""
    waiting = (
        select(StoreFile.pk)
        .where(_is_unheld(), StoreFile.available_at <= func.clock_timestamp())
        .limit(_COUNT_AT_MOST)
    )
    async with db.transaction() as session:
        count = select(func.count()).select_from(waiting.subquery())
        return await session.scalar(count) or 0


def _is_unheld() -> ColumnElement[bool]:
    return and_(
        StoreFile.status == StoreFileStatus.IN_PROGRESS,
        or_(
            StoreFile.lease_expires_at.is_(None),
            StoreFile.lease_expires_at < func.clock_timestamp(),
        ),
    )
