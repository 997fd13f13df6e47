"""How a run ends, whoever ends it: a caller's cancel, its worker, or the sweeper."""

from datetime import datetime

from sqlalchemy import select, update

from runtime.db.transaction import Session
from runtime.events.announce import announce, ring_cancel
from runtime.runs import lifecycle
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus
from runtime.runs.render import render_run, render_step
from runtime.runs.steps import items_of_steps
from runtime.runs.waiting import let_next_in
from runtime.threads.models import ItemStatus, Thread

# What becomes of steps that are open when their run ends.
_STEP_ENDS = {
    RunStatus.CANCELLED: StepStatus.CANCELLED,
    RunStatus.EXPIRED: StepStatus.EXPIRED,
    RunStatus.FAILED: StepStatus.FAILED,
    # Its message was cut short, and created all the same.
    RunStatus.INCOMPLETE: StepStatus.COMPLETED,
    RunStatus.COMPLETED: StepStatus.COMPLETED,
}

# A step knows fewer errors than a run.
_STEP_ERRORS = frozenset({"server_error", "rate_limit_exceeded"})


async def end_run(
    session: Session,
    run: Run,
    to: RunStatus,
    at: datetime,
    *,
    error: tuple[str, str] | None = None,
    incomplete_reason: str | None = None,
) -> None:
    """End a run: close what is open, give its thread to who waits, tell its followers.

    Args:
        session: holds the locks of the thread's row and the run's.
        run: the row.
        to: how it ends.
        at: this moment by the database's clock.
        error: code and sentence of a failure.
        incomplete_reason: which budget ran out, of an incomplete run.

    Raises:
        IllegalMove: it has ended already.
    """
    lifecycle.move(run, to, at)
    run.incomplete_reason = incomplete_reason
    if error is not None:
        run.error_code, run.error_message = error
    await _close_steps(session, run, at)
    await _give_up_thread(session, run, at)
    announce(
        session,
        run,
        f"thread.run.{run.status}",
        render_run(run).model_dump(mode="json"),
    )


async def stop_run(session: Session, run: Run) -> None:
    """Stop a run: at once where nobody works on it, else as soon as its worker hears.

    Args:
        session: holds the locks of the thread's row and the run's.
        run: live, and not being cancelled already.
    """
    now = await session.database_now()
    if run.status is RunStatus.IN_PROGRESS:
        lifecycle.move(run, RunStatus.CANCELLING, now)
        # Its worker speaks for it until it has stopped: no event from here.
        ring_cancel(session, run.id)
    else:
        await end_run(session, run, RunStatus.CANCELLED, now)


async def stop_all(session: Session, thread: Thread) -> None:
    """Stop the live run of a thread and whoever waits for it.

    Args:
        session: holds the lock of the thread's row.
        thread: free afterwards, or with one run that is `cancelling`.
    """
    query = (
        select(Run)
        .where(Run.thread_pk == thread.pk, Run.status.in_(lifecycle.LIVE))
        # Who waits goes first, or the end of the live one would let it in.
        .order_by(Run.waits_for_thread.desc(), Run.pk)
        .with_for_update()
    )
    for run in list(await session.scalars(query)):
        if run.status is not RunStatus.CANCELLING:
            await stop_run(session, run)


async def _give_up_thread(session: Session, run: Run, at: datetime) -> None:
    # A run that ends while it waits had no thread to give up.
    freed = await session.execute(
        update(Thread)
        .where(Thread.pk == run.thread_pk, Thread.active_run_id == run.id)
        .values(active_run_id=None)
        .returning(Thread.pk)
    )
    thread_pk = freed.scalar_one_or_none()
    if thread_pk is not None:
        await let_next_in(session, thread_pk, at)


async def _close_steps(session: Session, run: Run, at: datetime) -> None:
    query = select(RunStep).where(
        RunStep.run_pk == run.pk, RunStep.status == StepStatus.IN_PROGRESS
    )
    steps = list(await session.scalars(query.order_by(RunStep.idx)))
    items = await items_of_steps(session, [step.pk for step in steps])
    for step in steps:
        step.status = _STEP_ENDS[run.status]
        step.ended_at = at
        if step.status is StepStatus.FAILED:
            known = run.error_code in _STEP_ERRORS
            step.error_code = run.error_code if known else "server_error"
            step.error_message = run.error_message or "The run ended before this step."
        for item in items.get(step.pk, ()):
            if item.status is ItemStatus.IN_PROGRESS:
                item.status = ItemStatus.INCOMPLETE
                item.completed_at = at
        rendered = render_step(run, step, items.get(step.pk, []))
        announce(
            session,
            run,
            f"thread.run.step.{step.status}",
            rendered.model_dump(mode="json"),
        )
