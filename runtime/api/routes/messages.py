"""`/threads/{thread_id}/messages`"""

from runtime.api.deps import CurrentProject, ListCursor, ResourcesDep, Session
from runtime.api.router import Router
from runtime.threads import service as threads
from runtime.threads.render import render_message
from runtime.wire.base import Text
from runtime.wire.message_edits import CreateMessageAtRequest, ModifyMessageRequest
from runtime.wire.messages import (
    DeleteMessageResponse,
    ListMessagesResponse,
    MessageObject,
)

router = Router(prefix="/threads/{thread_id}/messages", tags=["messages"])


@router.post("")
async def create_message(
    thread_id: str,
    body: CreateMessageAtRequest,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
) -> MessageObject:
    """Add a message to a thread.

    To its end, or `before` or `after` another message of the thread. Lists and runs
    follow its place, not its `created_at`. Not while a run on the thread is live.
    """
    message = await threads.create_message(
        session, project, thread_id, body, embedder=resources.gateway.embedder
    )
    return render_message(message, thread_id)


@router.get("")
async def list_messages(
    thread_id: str,
    cursor: ListCursor,
    project: CurrentProject,
    session: Session,
    run_id: Text | None = None,
) -> ListMessagesResponse:
    """The messages of a thread."""
    page = await threads.list_messages(
        session, project, thread_id, cursor, run_id=run_id
    )
    rendered = [render_message(message, thread_id) for message in page.data]
    return ListMessagesResponse.of(rendered, has_more=page.has_more)


@router.get("/{message_id}")
async def get_message(
    thread_id: str, message_id: str, project: CurrentProject, session: Session
) -> MessageObject:
    """One message."""
    message = await threads.get_message(session, project, thread_id, message_id)
    return render_message(message, thread_id)


@router.post("/{message_id}")
async def modify_message(
    thread_id: str,
    message_id: str,
    body: ModifyMessageRequest,
    project: CurrentProject,
    session: Session,
) -> MessageObject:
    """Change a message's metadata, or its content.

    `content` replaces all parts of the old, annotations included; attachments stay as
    they are. Not while a run on the thread is live, unless `metadata` alone changes.
    """
    message = await threads.modify_message(
        session, project, thread_id, message_id, body
    )
    return render_message(message, thread_id)


@router.delete("/{message_id}")
async def delete_message(
    thread_id: str, message_id: str, project: CurrentProject, session: Session
) -> DeleteMessageResponse:
    """Delete a message."""
    await threads.delete_message(session, project, thread_id, message_id)
    return DeleteMessageResponse(id=message_id)
