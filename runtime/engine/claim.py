"""Who works on what: claims are taken, kept alive, shown with every write, given up.

A claim is a fresh fencing token (`runs.attempt`), not a worker's name: one worker may be
handed a run twice. Whoever writes for a run first shows its claim; a worker given up
for dead finds no row and drops everything, silently.
"""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import and_, func, select, text, update

from runtime.db.transaction import Database, Session
from runtime.events.announce import announce
from runtime.runs import lifecycle
from runtime.runs.models import Run, RunStatus
from runtime.runs.render import render_run
from runtime.threads.models import Thread

log = structlog.get_logger()

# A re-claimed run numbers its events from far above, at every loss from higher: what its
# lost workers still say has a smaller number, and Redis refuses it.
_ATTEMPT_GAP = 1_000_000


class ClaimLost(Exception):
    """This worker was given up for dead; another has the run, or it has ended."""


class Interruption(enum.Enum):
    """Why a run under way has to stop here."""

    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Shown:
    """A transaction whose claim is good: the locked rows, and the database's time."""

    session: Session
    thread: Thread
    run: Run
    now: datetime


class Claim:
    """The right to work on one run, until it is interrupted."""

    def __init__(self, run: Run, *, is_takeover: bool, claimed_at: datetime) -> None:
        """
        Args:
            run: the row as it was claimed; a snapshot from here on.
            is_takeover: a former worker may have left something half done. Redis may
                hold events beyond the row's last number: said, and not kept.
            claimed_at: when, by the database's clock.
        """
        self.run = run
        self.is_takeover = is_takeover
        # Written to the row with the first step: until then it tells a next worker what
        # was kept, should this one be lost, too.
        self.event_seq = run.event_seq
        if is_takeover:
            self.event_seq = beyond_lost(run, run.lost_leases)
        self._claimed_at = claimed_at
        self.interruption: asyncio.Future[Interruption] = (
            asyncio.get_running_loop().create_future()
        )

    @property
    def seconds_left(self) -> float:
        """From its claim to the run's expiry."""
        assert self.run.expires_at is not None  # what may be claimed has one
        return (self.run.expires_at - self._claimed_at).total_seconds()

    def interrupt(self, why: Interruption) -> None:
        """Stop the work on this run; the first reason counts."""
        if not self.interruption.done():
            self.interruption.set_result(why)

    @contextlib.asynccontextmanager
    async def shown(self, db: Database) -> AsyncIterator["Shown"]:
        """A transaction that holds the run's row, and its thread's, by this claim.

        Raises:
            ClaimLost: the claim is not good any more; nothing may be written.
        """
        async with db.transaction() as session:
            found = await session.execute(
                select(Thread, Run, func.clock_timestamp())
                .join(Run, Run.thread_pk == Thread.pk)
                .where(
                    Run.pk == self.run.pk,
                    Run.attempt == self.run.attempt,
                    Run.lease_owner == self.run.lease_owner,
                )
                # The thread first, as everybody locks them.
                .with_for_update(of=(Thread, Run))
            )
            row = found.one_or_none()
            if row is None:
                raise ClaimLost
            shown = Shown(session, *row)
            # Deltas were numbered since the row last heard of it.
            shown.run.event_seq = max(shown.run.event_seq, self.event_seq)
            if shown.run.status is RunStatus.CANCELLING:
                # The bell was lost, or is slower than this: stop at this step.
                self.interrupt(Interruption.CANCELLED)
            yield shown
        self.event_seq = shown.run.event_seq


def beyond_lost(run: Run, workers: int) -> int:
    """An event number above all that so many lost workers of a run can have given."""
    return run.event_seq + workers * _ATTEMPT_GAP


_CHOOSE = text(
    """
    WITH RECURSIVE
    -- What a dead worker left comes first: somebody has waited a lease for it.
    orphan AS (
        SELECT pk FROM runs
        WHERE status = 'in_progress' AND lease_expires_at < clock_timestamp()
          AND expires_at > clock_timestamp() AND lost_leases < :max_attempts
        ORDER BY lease_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ),
    -- The projects whose runs want a worker, each found by one step in the index.
    waiting(project_id) AS (
        (SELECT project_id FROM runs
         WHERE status = 'queued' AND NOT waits_for_thread
         ORDER BY project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT r.project_id FROM runs r
                WHERE r.status = 'queued' AND NOT r.waits_for_thread
                  AND r.project_id > w.project_id
                ORDER BY r.project_id LIMIT 1)
        FROM waiting w WHERE w.project_id IS NOT NULL
    ),
    in_flight AS (
        SELECT project_id, count(*) AS runs FROM runs
        WHERE status IN ('in_progress', 'cancelling')
          AND lease_expires_at > clock_timestamp()
        GROUP BY project_id
    ),
    -- Who has the fewest runs in flight goes first, however many it has queued.
    fair AS (
        SELECT w.project_id FROM waiting w LEFT JOIN in_flight f USING (project_id)
        WHERE w.project_id IS NOT NULL
        ORDER BY coalesce(f.runs, 0), random()
    ),
    next AS (
        SELECT r.pk FROM fair CROSS JOIN LATERAL (
            SELECT pk FROM runs
            WHERE status = 'queued' AND NOT waits_for_thread
              AND project_id = fair.project_id
              AND available_at <= clock_timestamp()
              AND expires_at > clock_timestamp()
            ORDER BY pk LIMIT 1 FOR UPDATE SKIP LOCKED
        ) r LIMIT 1
    )
    SELECT pk FROM (SELECT pk FROM orphan UNION ALL SELECT pk FROM next) c LIMIT 1
    """
)


class Claims:
    """The claims of one process: its only place for taking and keeping them."""

    def __init__(
        self, db: Database, owner: str, *, lease_seconds: float, max_attempts: int
    ) -> None:
        self._db = db
        self.owner = owner
        self._lease = timedelta(seconds=lease_seconds)
        self._max_attempts = max_attempts
        self._live: dict[int, Claim] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    async def take(self) -> Claim | None:
        """Claim the run that has waited most fairly; None when none waits."""
        async with self._db.transaction() as session:
            pk = await session.scalar(_CHOOSE, {"max_attempts": self._max_attempts})
            if pk is None:
                return None
            run, now = (
                await session.execute(
                    select(Run, func.clock_timestamp()).where(Run.pk == pk)
                )
            ).one()
            is_takeover = run.status is RunStatus.IN_PROGRESS
            run.attempt += 1
            run.lease_owner = self.owner
            run.lease_expires_at = now + self._lease
            if is_takeover:
                # Its worker fell silent. Same status, next attempt.
                log.info("run taken over", run_id=run.id, attempt=run.attempt)
                run.lost_leases += 1
            else:
                lifecycle.move(run, RunStatus.IN_PROGRESS, now)
                rendered = render_run(run).model_dump(mode="json")
                announce(session, run, "thread.run.in_progress", rendered)
        claim = Claim(run, is_takeover=is_takeover, claimed_at=now)
        if former := self._live.get(run.pk):
            former.interrupt(Interruption.LOST)  # ours, and given up for dead
        self._live[run.pk] = claim
        self._idle.clear()
        return claim

    def drop(self, claim: Claim) -> None:
        """Forget a claim whose work is over."""
        if self._live.get(claim.run.pk) is claim:
            del self._live[claim.run.pk]
        if not self._live:
            self._idle.set()

    async def extend(self) -> None:
        """The heartbeat: extend all leases in one statement, and learn what changed."""
        if not self._live:
            return
        asked = dict(self._live)
        ours = and_(
            Run.pk.in_(asked),
            Run.lease_owner == self.owner,
            Run.status.in_((RunStatus.IN_PROGRESS, RunStatus.CANCELLING)),
        )
        # A row that somebody has locked is passed by: it must not hold up the others.
        free = select(Run.pk).where(ours).with_for_update(skip_locked=True)
        async with self._db.transaction() as session:
            await session.execute(
                update(Run)
                .where(Run.pk.in_(free.scalar_subquery()))
                .values(lease_expires_at=func.clock_timestamp() + self._lease)
                .execution_options(synchronize_session=False)
            )
            # Read without a lock, the passed by too: they are ours still.
            rows = await session.execute(
                select(Run.pk, Run.attempt, Run.status).where(ours)
            )
            held = {pk: (attempt, status) for pk, attempt, status in rows}
        for pk, claim in asked.items():
            attempt, status = held.get(pk, (None, None))
            if attempt != claim.run.attempt:
                claim.interrupt(Interruption.LOST)
            elif status is RunStatus.CANCELLING:
                claim.interrupt(Interruption.CANCELLED)

    def cancel(self, run_id: str) -> None:
        """A bell rang for this run: if it is ours, stop it."""
        for claim in self._live.values():
            if claim.run.id == run_id:
                claim.interrupt(Interruption.CANCELLED)

    def interrupt_all(self, why: Interruption) -> None:
        """Stop everything, as when the process is told to end."""
        for claim in list(self._live.values()):
            claim.interrupt(why)

    async def wait_idle(self, seconds: float) -> None:
        """Wait until no run is in flight here, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
