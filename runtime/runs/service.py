"""What a caller may ask of runs. What a worker does with them is in `engine/`.

Everybody who needs both locks the thread's row first, then the run's. How a run comes
to be is in `creation.py`, how it ends in `ending.py`, also with its thread (`removal.py`).
"""

from collections.abc import Sequence

from sqlalchemy import func, select

from runtime import jobs
from runtime.db.paging import Cursor, Page, fetch_page
from runtime.db.transaction import Session
from runtime.errors import IllegalMove, InvalidRequest, NotFound
from runtime.events.announce import announce
from runtime.projects.models import Project
from runtime.runs import lifecycle
from runtime.runs.ending import stop_run
from runtime.runs.models import Run, RunStatus
from runtime.runs.render import render_run
from runtime.runs.steps import complete_step, open_calls_of
from runtime.threads.models import Item, ItemStatus, Thread
from runtime.threads.service import get_thread
from runtime.wire.runs import ModifyRunRequest, SubmitToolOutputsRunRequest


async def get_run(
    session: Session,
    project: Project,
    thread_id: str,
    run_id: str,
    *,
    lock: bool = False,
) -> Run:
    """A run on a thread of this project.

    Raises:
        NotFound: no such run on that thread.
    """
    query = (
        select(Run)
        .join(Thread, Thread.pk == Run.thread_pk)
        .where(
            Run.project_id == project.id,
            Run.id == run_id,
            Run.thread_id == thread_id,
            Thread.deleted_at.is_(None),
        )
    )
    if lock:
        # The one order of locks: the thread, then the run.
        await get_thread(session, project, thread_id, lock=True)
        query = query.with_for_update(of=Run)
    run = await session.scalar(query)
    if run is None:
        raise NotFound("run", run_id)
    return run


async def list_runs(
    session: Session, project: Project, thread_id: str, cursor: Cursor
) -> tuple[Page[Run], dict[int, list[Item]]]:
    """The runs of a thread, and the open calls of the one that waits for its caller."""
    thread = await get_thread(session, project, thread_id)
    query = select(Run).where(Run.project_id == project.id, Run.thread_pk == thread.pk)
    page = await fetch_page(session, query, cursor, id=Run.id, key=Run.pk)
    waiting = [run for run in page.data if run.status is RunStatus.REQUIRES_ACTION]
    return page, {run.pk: await open_calls_of(session, run) for run in waiting}


async def open_calls(session: Session, run: Run) -> Sequence[Item]:
    """The calls that a run waits for; none unless it is in `requires_action`."""
    if run.status is not RunStatus.REQUIRES_ACTION:
        return ()
    return await open_calls_of(session, run)


async def modify_run(
    session: Session,
    project: Project,
    thread_id: str,
    run_id: str,
    body: ModifyRunRequest,
) -> Run:
    """Change a run's metadata."""
    run = await get_run(session, project, thread_id, run_id, lock=True)
    if "metadata" in body.model_fields_set:
        run.metadata_ = body.metadata or {}
    return run


async def cancel_run(
    session: Session, project: Project, thread_id: str, run_id: str
) -> Run:
    """Ask a run to stop.

    A run nobody is working on stops now, one that waits for its thread included. One
    in progress becomes `cancelling`, and the worker that holds its claim stops it
    between two tokens.

    Raises:
        NotFound: this project has no such run on that thread.
        IllegalMove: the run has ended, or is being cancelled already.
    """
    run = await get_run(session, project, thread_id, run_id, lock=True)
    if run.status in lifecycle.ENDED or run.status is RunStatus.CANCELLING:
        raise IllegalMove(f"Cannot cancel run with status '{run.status}'.")
    await stop_run(session, run)
    return run


async def submit_tool_outputs(
    session: Session,
    project: Project,
    thread_id: str,
    run_id: str,
    body: SubmitToolOutputsRunRequest,
) -> Run:
    """Answer all the calls that a run waits for, and let it go on.

    Raises:
        NotFound: this project has no such run on that thread.
        IllegalMove: the run does not wait for outputs.
        InvalidRequest: the ids are not exactly those of the open calls.
    """
    run = await get_run(session, project, thread_id, run_id, lock=True)
    if run.status is not RunStatus.REQUIRES_ACTION:
        raise IllegalMove(f"Runs in status '{run.status}' do not accept tool outputs.")
    calls = await open_calls_of(session, run)
    outputs = {given.tool_call_id: given.output for given in body.tool_outputs}
    _check_outputs(body, calls)
    now = await session.database_now()
    for call in calls:
        assert call.call_id is not None  # every call item has one
        call.output = {"text": outputs[call.call_id]}
        call.status = ItemStatus.COMPLETED
        call.completed_at = now
    await complete_step(session, run, calls[0].step_pk, now)
    lifecycle.move(run, RunStatus.QUEUED, now)
    run.available_at = now
    announce(session, run, "thread.run.queued", render_run(run).model_dump(mode="json"))
    jobs.enqueue(session, jobs.DRIVE_RUNS)
    return run


def _check_outputs(body: SubmitToolOutputsRunRequest, calls: Sequence[Item]) -> None:
    asked = {call.call_id for call in calls}
    given = [output.tool_call_id for output in body.tool_outputs]
    if len(given) != len(set(given)):
        raise InvalidRequest("A tool call is answered twice.", param="tool_outputs")
    if unknown := set(given) - asked:
        raise InvalidRequest(
            f"This run has no open tool call with id '{min(unknown)[:128]}'.",
            param="tool_outputs",
        )
    if missing := asked - set(given):
        raise InvalidRequest(
            "Outputs of all open tool calls are needed in one request; missing: "
            f"{', '.join(sorted(str(id) for id in missing))}.",
            param="tool_outputs",
        )


async def count_live(session: Session) -> dict[str, int]:
    """How many runs have not ended, in all projects, by where they are.

    Returns:
        By status. Those that wait for their thread are `waiting`, apart from the
        `queued`, which a worker could take.
    """
    counted = await session.execute(
        select(Run.status, Run.waits_for_thread, func.count())
        .where(Run.status.in_(lifecycle.LIVE))
        .group_by(Run.status, Run.waits_for_thread)
    )
    live = {status.value: 0 for status in lifecycle.LIVE} | {"waiting": 0}
    for status, waits, count in counted:
        live["waiting" if waits else status.value] += count
    return live
