"""`/threads/{thread_id}`, taken elsewhere: forked, exported. OpenAI's API has neither."""

from typing import Annotated

from fastapi import Body
from fastapi.responses import StreamingResponse

from runtime.api.deps import CurrentProject, ResourcesDep, Session
from runtime.api.downloads import SpoolDep, saved_as
from runtime.api.router import Router
from runtime.runs import export, forking
from runtime.threads.render import render_thread
from runtime.wire.exports import ThreadExport
from runtime.wire.threads import ForkThreadRequest, ThreadObject

router = Router(prefix="/threads/{thread_id}", tags=["threads"])


@router.post("/fork")
async def fork_thread(
    thread_id: str,
    project: CurrentProject,
    session: Session,
    body: Annotated[ForkThreadRequest | None, Body()] = None,
) -> ThreadObject:
    """Copy a thread into a new one, whole or up to a message.

    A run on the copy reads what it would have read here: messages, and the calls of
    tools with their outputs. Messages have new ids and the `run_id` null; files and
    vector stores are shared. While a run is live, what it has finished is taken.
    """
    return render_thread(
        await forking.fork_thread(
            session, project, thread_id, body or ForkThreadRequest()
        )
    )


@router.get("/export", responses={200: {"model": ThreadExport}})
async def export_thread(
    thread_id: str, project: CurrentProject, spool: SpoolDep, resources: ResourcesDep
) -> StreamingResponse:
    """A whole thread in one document, to be saved.

    The thread, its messages in order, its runs with their steps, and the files that any
    of these name (without their bytes), as they are at one moment. It may be as long as
    the thread is: read it as a stream.
    """
    async with resources.db.transaction() as session:
        await spool.fill(export.export_thread(session, project, thread_id))
    headers = {
        "content-type": "application/json",
        "content-length": str(spool.size_bytes),
        **saved_as(f"{thread_id}.json"),
    }
    return StreamingResponse(spool.blocks(), headers=headers)
