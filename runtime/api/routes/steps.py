"""`/threads/{thread_id}/runs/{run_id}/steps`"""

from runtime.api.deps import CurrentProject, Include, ListCursor, Session
from runtime.api.router import Router
from runtime.runs import steps
from runtime.runs.render import render_step
from runtime.runs.service import get_run
from runtime.wire.steps import ListRunStepsResponse, RunStepObject

router = Router(prefix="/threads/{thread_id}/runs/{run_id}/steps", tags=["runs"])


@router.get("")
async def list_run_steps(
    thread_id: str,
    run_id: str,
    cursor: ListCursor,
    project: CurrentProject,
    session: Session,
    include: Include = None,
) -> ListRunStepsResponse:
    """The steps of a run."""
    run = await get_run(session, project, thread_id, run_id)
    page, items = await steps.list_steps(session, run, cursor)
    rendered = [
        render_step(run, step, items.get(step.pk, ()), with_content=bool(include))
        for step in page.data
    ]
    return ListRunStepsResponse.of(rendered, has_more=page.has_more)


@router.get("/{step_id}")
async def get_run_step(
    thread_id: str,
    run_id: str,
    step_id: str,
    project: CurrentProject,
    session: Session,
    include: Include = None,
) -> RunStepObject:
    """One step."""
    run = await get_run(session, project, thread_id, run_id)
    step, items = await steps.get_step(session, run, step_id)
    return render_step(run, step, items, with_content=bool(include))
