"""`/threads/{thread_id}`, taken elsewhere: forked. OpenAI's API has nothing of the kind."""

from typing import Annotated

from fastapi import Body

from runtime.api.deps import CurrentProject, Session
from runtime.api.router import Router
from runtime.runs import forking
from runtime.threads.render import render_thread
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
