"""The sweeper: rows that nobody came for, looked for every few seconds.

It runs in every worker process, and one of them wins each tick. It ends what has to end
(expired runs, cancels whose worker died, runs that lost too many workers), lets in who
waits for a thread that is free, and rings again for what waits for a worker: a nudge may
have been lost with Redis.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select
from sqlalchemy.orm import aliased

from runtime import jobs
from runtime.db.transaction import Database, DatabaseAway, Session
from runtime.engine.claim import Shown, beyond_lost
from runtime.engine.leftovers import leftover_of
from runtime.engine.rows import MESSAGE_REASONS, say_cancelling, store_cut
from runtime.events.bus import Bus
from runtime.runs.ending import end_run, stop_all
from runtime.runs.lifecycle import LIVE
from runtime.runs.models import Container, Run, RunStatus
from runtime.runs.waiting import let_next_in
from runtime.threads.models import Thread
from sandbox import SandboxError

log = structlog.get_logger()

_BATCH = 100

# A worker ends its own runs when they expire. One that still has not, so long after,
# hangs somewhere: its lease protects it no more.
_LATE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Ending:
    """Which runs end, and how."""

    which: ColumnElement[bool]
    to: RunStatus
    error: tuple[str, str] | None = None


async def sweep(db: Database, bus: Bus, *, max_attempts: int, most_nudges: int) -> None:
    """One tick: end what has to end, let in who was forgotten, ring for what waits.

    Two at once do no harm, since each row is locked when it is ended.

    Args:
        db: where the rows are.
        bus: what lost workers have said is read there.
        max_attempts: workers that a run may cost.
        most_nudges: how many may be sent, with those that lie there already.

    Raises:
        DatabaseAway: try again at the next tick.
    """
    for ending in _endings(max_attempts):
        for pk in await _pks(db, select(Run.pk).where(ending.which)):
            try:
                await _end(db, bus, pk, ending)
            except DatabaseAway:
                raise
            except Exception:
                # One row that cannot be ended must not keep the others waiting.
                log.exception("run not ended", run_pk=pk)
    for pk in await _pks(db, _forgotten_threads()):
        await _let_in(db, pk)
    await _ring(db, most_nudges)


def _endings(max_attempts: int) -> list[_Ending]:
    now = func.clock_timestamp()
    unheld = or_(Run.lease_expires_at.is_(None), Run.lease_expires_at < now)
    lost = (
        "server_error",
        "The run's worker was lost repeatedly; the run was given up.",
    )
    return [
        _Ending(
            and_(
                Run.status.in_(LIVE),
                or_(and_(Run.expires_at < now, unheld), Run.expires_at < now - _LATE),
            ),
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


async def _end(db: Database, bus: Bus, pk: int, ending: _Ending) -> None:
    async with db.transaction() as session:
        seen = await session.get_one(Run, pk)
    heard = await leftover_of(bus, seen)
    async with db.transaction() as session:
        # The thread first, then the run; both anew, as much may have happened since.
        row = (
            await session.execute(
                select(Thread, Run)
                .join(Run, Run.thread_pk == Thread.pk)
                .where(Run.pk == pk, Run.event_seq == seen.event_seq, ending.which)
                .with_for_update(of=(Thread, Run), skip_locked=True)
            )
        ).one_or_none()
        if row is None:
            return
        shown = Shown(session, *row, await session.database_now())
        run = shown.run
        # The last worker may have told more than it stored, and be about to write.
        run.event_seq = beyond_lost(run, run.lost_leases + 1)
        run.attempt += 1
        log.info("run ended by the sweeper", run_id=run.id, status=ending.to)
        if run.status is RunStatus.CANCELLING:
            say_cancelling(shown)  # its worker did not live to
        if heard is not None:
            # Followers hold half a message: it ends with its run.
            await store_cut(shown, heard, MESSAGE_REASONS[ending.to])
        await end_run(session, run, ending.to, shown.now, error=ending.error)


def _forgotten_threads() -> Any:
    """Threads for which runs wait though none is live.

    Whoever ends a run lets in the next; a worker of the release before this one, still
    there during an upgrade, does not.
    """
    live = aliased(Run)
    is_busy = exists().where(
        live.thread_pk == Run.thread_pk,
        live.status.in_(LIVE),
        not_(live.waits_for_thread),
    )
    return select(Run.thread_pk).where(Run.waits_for_thread, not_(is_busy)).distinct()


async def _let_in(db: Database, thread_pk: int) -> None:
    async with db.transaction() as session:
        thread = await session.scalar(
            select(Thread)
            .where(Thread.pk == thread_pk)
            .with_for_update(skip_locked=True)
        )
        # Looked at anew: only now does nobody else create or end a run on it.
        again = _forgotten_threads().where(Run.thread_pk == thread_pk)
        if thread is None or await session.scalar(again) is None:
            return
        log.warning("forgotten run found by the sweeper", thread_id=thread.id)
        if thread.deleted_at is None:
            await let_next_in(session, thread_pk, await session.database_now())
        else:
            await stop_all(session, thread)


async def _ring(db: Database, most: int) -> None:
    async with db.transaction() as session:
        for _ in range(await _waiting_runs(session, most)):
            jobs.enqueue(session, jobs.DRIVE_RUNS)


async def _waiting_runs(session: Session, most: int) -> int:
    now = func.clock_timestamp()
    some = (
        select(Run.pk)
        .where(
            or_(
                and_(
                    Run.status == RunStatus.QUEUED,
                    not_(Run.waits_for_thread),
                    Run.available_at <= now,
                ),
                and_(Run.status == RunStatus.IN_PROGRESS, Run.lease_expires_at < now),
            )
        )
        .limit(most)
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
        try:
            await end(orphan.id)
        except SandboxError as error:
            log.warning("container not ended", container=orphan.id, reason=str(error))
            continue
        async with db.transaction() as session:
            row = await session.get_one(Container, orphan.pk)
            row.deleted_at = await session.database_now()
