"""`/threads`"""

from typing import Annotated

from fastapi import Body

from runtime.api.deps import CurrentProject, ResourcesDep, Session
from runtime.api.router import Router
from runtime.runs import removal
from runtime.threads import service as threads
from runtime.threads.render import render_thread
from runtime.wire.threads import (
    CreateThreadRequest,
    DeleteThreadResponse,
    ModifyThreadRequest,
    ThreadObject,
)

router = Router(prefix="/threads", tags=["threads"])


@router.post("")
async def create_thread(
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
    # The one creation that may come without a body.
    body: Annotated[CreateThreadRequest | None, Body()] = None,
) -> ThreadObject:
    """Create a thread, with messages if any are sent along."""
    thread = await threads.create_thread(
        session,
        project,
        body or CreateThreadRequest(),
        embedder=resources.gateway.embedder,
    )
    return render_thread(thread)


@router.get("/{thread_id}")
async def get_thread(
    thread_id: str, project: CurrentProject, session: Session
) -> ThreadObject:
    """One thread."""
    return render_thread(await threads.get_thread(session, project, thread_id))


@router.post("/{thread_id}")
async def modify_thread(
    thread_id: str,
    body: ModifyThreadRequest,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
) -> ThreadObject:
    """Change a thread's metadata or tool resources."""
    thread = await threads.modify_thread(
        session, project, thread_id, body, embedder=resources.gateway.embedder
    )
    return render_thread(thread)


@router.delete("/{thread_id}")
async def delete_thread(
    thread_id: str, project: CurrentProject, session: Session
) -> DeleteThreadResponse:
    """Delete a thread with its messages and runs."""
    # A live run on it is stopped first, which is the runs' affair.
    await removal.delete_thread(session, project, thread_id)
    return DeleteThreadResponse(id=thread_id)
