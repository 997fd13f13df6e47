"""The sweeper: rows that nobody came for, looked for every few seconds.

It runs in every worker process and one of them wins each tick. It ends what has to end
(expired runs, cancels whose worker died, runs that lost too many workers) and rings
again for what waits: a nudge may have been lost with Redis.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, func, or_, select, text

from runtime import jobs
from runtime.db.transaction import Database, Session
from runtime.engine.claim import beyond_lost
from runtime.runs.ending import end_run
from runtime.runs.models import Container, Run, RunStatus
from runtime.threads.models import Thread

log = structlog.get_logger()

# Any number, the same for all.
_LOCK_KEY = 7_240_519
_BATCH = 100
# Enough nudges to fill a worker; whoever takes one goes on until nothing waits.
_MOST_NUDGES = 50

_LIVE = (
    RunStatus.QUEUED,
    RunStatus.IN_PROGRESS,
    RunStatus.REQUIRES_ACTION,
    RunStatus.CANCELLING,
)


@dataclass(frozen=True, slots=True)
class _Ending:
    """Which runs end, and how."""

    which: ColumnElement[bool]
    to: RunStatus
    error: tuple[str, str] | None = None


async def sweep(db: Database, *, max_attempts: int) -> None:
    """One tick: end what has to end, ring for what waits.

    Raises:
        DatabaseAway: try again at the next tick.
    """
    if not await _won(db):
        return
    for ending in _endings(max_attempts):
        for pk in await _pks(db, select(Run.pk).where(ending.which)):
            await _end(db, pk, ending)
    await _ring(db)


async def _won(db: Database) -> bool:
    async with db.transaction() as session:
        # The lock lasts for this transaction only: it keeps two sweepers from starting
        # at one moment. Two at once do no harm, since each row is locked when it is
        # ended; they would only do the work twice.
        won = await session.scalar(
            text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK_KEY}
        )
    return bool(won)


def _endings(max_attempts: int) -> list[_Ending]:
    now = func.clock_timestamp()
    unheld = or_(Run.lease_expires_at.is_(None), Run.lease_expires_at < now)
    lost = (
        "server_error",
        "The run's worker was lost repeatedly; the run was given up.",
    )
    return [
        _Ending(
            and_(Run.status.in_(_LIVE), Run.expires_at < now, unheld),
            RunStatus.EXPIRED,
        ),
        _Ending(and_(Run.status == RunStatus.CANCELLING, unheld), RunStatus.CANCELLED),
        _Ending(
            and_(
                Run.status == RunStatus.IN_PROGRESS,
                unheld,
                Run.lost_leases >= max_attempts,
            ),
            RunStatus.FAILED,
            lost,
        ),
    ]


async def _pks(db: Database, query: Any) -> list[int]:
    async with db.transaction() as session:
        return list(await session.scalars(query.limit(_BATCH)))


async def _end(db: Database, pk: int, ending: _Ending) -> None:
    async with db.transaction() as session:
        # The thread first, then the run; both anew, as much may have happened since.
        row = (
            await session.execute(
                select(Thread, Run)
                .join(Run, Run.thread_pk == Thread.pk)
                .where(Run.pk == pk, ending.which)
                .with_for_update(of=(Thread, Run), skip_locked=True)
            )
        ).one_or_none()
        if row is None:
            return
        run: Run = row[1]
        # The last worker may have told more than it stored, and be about to write.
        run.event_seq = beyond_lost(run, run.lost_leases + 1)
        run.attempt += 1
        log.info("run ended by the sweeper", run_id=run.id, status=ending.to)
        now = await session.database_now()
        await end_run(session, run, ending.to, now, error=ending.error)


async def _ring(db: Database) -> None:
    async with db.transaction() as session:
        for _ in range(await _waiting_runs(session)):
            jobs.enqueue(session, jobs.DRIVE_RUNS)


async def _waiting_runs(session: Session) -> int:
    now = func.clock_timestamp()
    some = (
        select(Run.pk)
        .where(
            or_(
                and_(Run.status == RunStatus.QUEUED, Run.available_at <= now),
                and_(Run.status == RunStatus.IN_PROGRESS, Run.lease_expires_at < now),
            )
        )
        .limit(_MOST_NUDGES)
    )
    return await session.scalar(select(func.count()).select_from(some.subquery())) or 0


async def end_orphaned_containers(
    db: Database, end: Callable[[str], Awaitable[None]]
) -> None:
    """Remove the containers of deleted threads."""
    query = (
        select(Container)
        .join(Thread, Thread.pk == Container.thread_pk)
        .where(Thread.deleted_at.is_not(None), Container.deleted_at.is_(None))
        .limit(_BATCH)
    )
    async with db.transaction() as session:
        orphans = list(await session.scalars(query))
    for orphan in orphans:
        await end(orphan.id)
        async with db.transaction() as session:
            row = await session.get_one(Container, orphan.pk)
            row.deleted_at = await session.database_now()
