"""`/threads/{thread_id}/runs`, `/threads/runs`: create, follow, cancel, answer."""

from typing import Annotated

from fastapi import Header, Query, Response
from fastapi.responses import StreamingResponse

from runtime.api.deps import (
    CurrentProject,
    Include,
    ListCursor,
    ResourcesDep,
    Session,
)
from runtime.api.polling import poll_soon
from runtime.api.published import RUN_OR_STREAM, RUN_STREAM
from runtime.api.router import Router
from runtime.api.sse import stream_run
from runtime.errors import InvalidRequest
from runtime.events.announce import announced
from runtime.resources import Resources
from runtime.runs import creation, service
from runtime.runs.creation import RunLimits
from runtime.runs.lifecycle import LIVE
from runtime.runs.render import render_run
from runtime.wire.runs import (
    CreateRunRequest,
    CreateThreadAndRunRequest,
    ListRunsResponse,
    ModifyRunRequest,
    RunObject,
    SubmitToolOutputsRunRequest,
)

router = Router(prefix="/threads", tags=["runs"])


def _limits(resources: Resources) -> RunLimits:
    settings = resources.settings
    return RunLimits(
        run_seconds=settings.run_seconds,
        max_queued=settings.max_queued_runs,
        max_queued_per_project=settings.max_queued_runs_per_project,
    )


# Declared before `/threads/{thread_id}`, or that would take `runs` for an id.
@router.post("/runs", response_model=RunObject, responses={200: RUN_OR_STREAM})
async def create_thread_and_run(
    body: CreateThreadAndRunRequest,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
) -> RunObject | StreamingResponse:
    """Create a thread and run an assistant on it."""
    run = await creation.create_thread_and_run(
        session,
        project,
        body,
        limits=_limits(resources),
        embedder=resources.gateway.embedder,
    )
    if body.stream:
        first = announced(session, run)
        return stream_run(resources.db, resources.bus, run, first=first)
    return render_run(run)


@router.post(
    "/{thread_id}/runs", response_model=RunObject, responses={200: RUN_OR_STREAM}
)
async def create_run(
    thread_id: str,
    body: CreateRunRequest,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
    include: Include = None,
) -> RunObject | StreamingResponse:
    """Run an assistant on a thread."""
    run = await creation.create_run(
        session,
        project,
        thread_id,
        body,
        limits=_limits(resources),
        embedder=resources.gateway.embedder,
        with_content=bool(include),
    )
    if body.stream:
        first = announced(session, run)
        return stream_run(resources.db, resources.bus, run, first=first)
    return render_run(run)


@router.get("/{thread_id}/runs")
async def list_runs(
    thread_id: str, cursor: ListCursor, project: CurrentProject, session: Session
) -> ListRunsResponse:
    """The runs of a thread."""
    page, calls = await service.list_runs(session, project, thread_id, cursor)
    rendered = [render_run(run, calls.get(run.pk, ())) for run in page.data]
    return ListRunsResponse.of(rendered, has_more=page.has_more)


@router.get("/{thread_id}/runs/{run_id}")
async def get_run(
    thread_id: str,
    run_id: str,
    project: CurrentProject,
    session: Session,
    response: Response,
) -> RunObject:
    """One run."""
    run = await service.get_run(session, project, thread_id, run_id)
    if run.status in LIVE:
        poll_soon(response, run.created_at)
    return render_run(run, await service.open_calls(session, run))


@router.post("/{thread_id}/runs/{run_id}")
async def modify_run(
    thread_id: str,
    run_id: str,
    body: ModifyRunRequest,
    project: CurrentProject,
    session: Session,
) -> RunObject:
    """Change a run's metadata."""
    run = await service.modify_run(session, project, thread_id, run_id, body)
    return render_run(run, await service.open_calls(session, run))


@router.post("/{thread_id}/runs/{run_id}/cancel")
async def cancel_run(
    thread_id: str, run_id: str, project: CurrentProject, session: Session
) -> RunObject:
    """Stop a run; one in progress is `cancelling` until its worker has stopped."""
    return render_run(await service.cancel_run(session, project, thread_id, run_id))


@router.post(
    "/{thread_id}/runs/{run_id}/submit_tool_outputs",
    # Misspelt so in the official description, and in the clients made of it.
    operation_id="submitToolOuputsToRun",
    response_model=RunObject,
    responses={200: RUN_OR_STREAM},
)
async def submit_tool_outputs(
    thread_id: str,
    run_id: str,
    body: SubmitToolOutputsRunRequest,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
) -> RunObject | StreamingResponse:
    """Answer the calls that a run waits for, all at once."""
    run = await service.submit_tool_outputs(session, project, thread_id, run_id, body)
    if body.stream:
        first = announced(session, run)
        return stream_run(resources.db, resources.bus, run, first=first)
    return render_run(run)


@router.get(
    "/{thread_id}/runs/{run_id}/stream",
    response_class=StreamingResponse,
    responses={200: RUN_STREAM},
)
async def resume_stream(
    thread_id: str,
    run_id: str,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
    after: Annotated[int | None, Query(ge=0, lt=10**18)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Follow a run from behind the event that `after` or `Last-Event-ID` names."""
    run = await service.get_run(session, project, thread_id, run_id)
    if after is None and last_event_id is not None:
        if not last_event_id.isdecimal() or len(last_event_id) > 18:
            raise InvalidRequest(
                "Last-Event-ID is the number of an event of this stream.",
                param="Last-Event-ID",
            )
        after = int(last_event_id)
    return stream_run(resources.db, resources.bus, run, after=after or 0)
