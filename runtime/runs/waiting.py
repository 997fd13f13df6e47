"""Runs that wait for their thread: how many may, and who is let in next.

A thread has one live run. Others may be queued behind it (`busy_policy`): they are
`queued` on the wire, and no worker may claim them before they are let in, first come,
first served, by whatever ends the run before. Everybody here holds the thread's row.

The messages that such a run brings are kept with it, since the run before must not read
them. The engine puts them onto the thread when it begins with the run.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from runtime import jobs
from runtime.db.transaction import Session
from runtime.errors import RateLimited
from runtime.runs.models import Run
from runtime.threads.models import Thread
from runtime.wire.messages import CreateMessageRequest

MOST_WAITING = 32
"""On one thread. At ten minutes each, the last of them waits for five hours at worst."""

_RETRY_SECONDS = 5
_MESSAGES = "additional_messages"


async def check_place(session: Session, thread: Thread) -> None:
    """See that one more run may wait for this thread.

    Raises:
        RateLimited: too many wait already.
    """
    waiting = await session.scalar(
        select(func.count())
        .select_from(Run)
        .where(Run.thread_pk == thread.pk, Run.waits_for_thread)
    )
    if (waiting or 0) >= MOST_WAITING:
        raise RateLimited(
            f"{MOST_WAITING} runs wait for thread {thread.id} already; please try again "
            "when one of them has ended.",
            code="rate_limit_exceeded",
            retry_after_seconds=_RETRY_SECONDS,
        )


async def let_next_in(session: Session, thread_pk: int, at: datetime) -> None:
    """Make the oldest run that waits for a thread its live one, if any waits.

    From here on any worker may claim it, and its time runs. Its followers heard
    `queued` when it was created, and hear nothing of this.

    Args:
        session: holds the lock of the thread, which has no live run.
        thread_pk: the thread.
        at: this moment by the database's clock.
    """
    run = await session.scalar(
        select(Run)
        .where(Run.thread_pk == thread_pk, Run.waits_for_thread)
        .order_by(Run.pk)
        .limit(1)
        .with_for_update()
    )
    if run is None:
        return
    assert run.run_seconds is not None  # of every run that waits
    run.waits_for_thread = False
    run.available_at = at
    run.expires_at = at + timedelta(seconds=run.run_seconds)
    await session.execute(
        update(Thread).where(Thread.pk == thread_pk).values(active_run_id=run.id)
    )
    jobs.enqueue(session, jobs.DRIVE_RUNS)


def keep_messages(run: Run, messages: Sequence[CreateMessageRequest]) -> None:
    """Keep the messages that a run brings until it has its thread."""
    if messages:
        kept = [message.model_dump(mode="json") for message in messages]
        run.request = {**run.request, _MESSAGES: kept}


def has_messages(run: Run) -> bool:
    """Whether a run brings messages that are not on its thread yet."""
    return _MESSAGES in run.request


def take_messages(run: Run) -> list[CreateMessageRequest]:
    """The messages that were kept, in order; the row, which is locked, forgets them."""
    kept = run.request.get(_MESSAGES, [])
    run.request = {k: v for k, v in run.request.items() if k != _MESSAGES}
    return [CreateMessageRequest.model_validate(message) for message in kept]
