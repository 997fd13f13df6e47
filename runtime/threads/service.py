"""What one may ask of threads and messages.

A thread with a live run takes no message: the run has read what it answers to.
"""

from datetime import datetime

from sqlalchemy import select

from runtime.assistants.tool_resources import settle_tool_resources
from runtime.db.paging import Cursor, Page, fetch_page
from runtime.db.transaction import Session
from runtime.errors import IllegalMove, NotFound, within
from runtime.gateway import Embedder
from runtime.ids import new_id
from runtime.projects.models import Project
from runtime.threads.attachments import STORE_DAYS, attach_files, check_images
from runtime.threads.content import store_content
from runtime.threads.models import SEQ_STEP, Item, ItemStatus, ItemType, Thread
from runtime.threads.places import place_beside
from runtime.wire.message_edits import CreateMessageAtRequest, ModifyMessageRequest
from runtime.wire.messages import CreateMessageRequest
from runtime.wire.threads import CreateThreadRequest, ModifyThreadRequest


async def create_thread(
    session: Session,
    project: Project,
    body: CreateThreadRequest,
    *,
    embedder: Embedder,
) -> Thread:
    """Begin a thread, with its first messages if there are any.

    Raises:
        InvalidRequest, NotFound: it names a file or store this project does not have.
    """
    thread = Thread(
        project_id=project.id,
        id=new_id("thread"),
        metadata_=body.metadata or {},
        tool_resources=await settle_tool_resources(
            session,
            project,
            body.tool_resources,
            embedder=embedder,
            new_stores_expire_after_days=STORE_DAYS,
        ),
        next_seq=SEQ_STEP,
    )
    session.add(thread)
    await session.flush()
    for index, message in enumerate(body.messages or ()):
        with within(f"messages[{index}]"):
            await append_message(
                session,
                project,
                thread,
                message,
                at=thread.created_at,
                embedder=embedder,
            )
    return thread


async def get_thread(
    session: Session, project: Project, thread_id: str, *, lock: bool = False
) -> Thread:
    """A thread of this project, its row locked if asked.

    Raises:
        NotFound: there is none.
    """
    query = select(Thread).where(
        Thread.project_id == project.id,
        Thread.id == thread_id,
        Thread.deleted_at.is_(None),
    )
    if lock:
        query = query.with_for_update()
    thread = await session.scalar(query)
    if thread is None:
        raise NotFound("thread", thread_id)
    return thread


async def modify_thread(
    session: Session,
    project: Project,
    thread_id: str,
    body: ModifyThreadRequest,
    *,
    embedder: Embedder,
) -> Thread:
    """Change metadata or tool resources; what is left out stays, null clears."""
    thread = await get_thread(session, project, thread_id, lock=True)
    if "metadata" in body.model_fields_set:
        thread.metadata_ = body.metadata or {}
    if "tool_resources" in body.model_fields_set:
        settled = await settle_tool_resources(
            session, project, body.tool_resources, embedder=embedder
        )
        # Each tool's resources are replaced on their own; null clears all.
        kept = thread.tool_resources if body.tool_resources else {}
        thread.tool_resources = {**kept, **settled}
    return thread


async def delete_thread(session: Session, thread: Thread) -> None:
    """Delete a thread. Its rows are collected later."""
    thread.deleted_at = await session.database_now()


async def create_message(
    session: Session,
    project: Project,
    thread_id: str,
    body: CreateMessageAtRequest,
    *,
    embedder: Embedder,
) -> Item:
    """Add a message to a thread, at its end or where `body` says.

    Raises:
        IllegalMove: a run on the thread is live.
        InvalidRequest: it is to go beside a message that is not on this thread.
    """
    thread = await get_thread(session, project, thread_id, lock=True)
    check_idle(thread, "add messages to")
    seq = await place_beside(session, thread, before=body.before, after=body.after)
    now = await session.database_now()
    return await append_message(
        session, project, thread, body, at=now, embedder=embedder, seq=seq
    )


def check_idle(thread: Thread, wish: str) -> None:
    """See that no run is live on a thread whose row is locked.

    Raises:
        IllegalMove: one is. 400, not 409: clients would retry a 409.
    """
    if thread.active_run_id is not None:
        raise IllegalMove(
            f"Can't {wish} {thread.id} while a run {thread.active_run_id} is active."
        )


async def append_message(
    session: Session,
    project: Project,
    thread: Thread,
    body: CreateMessageRequest,
    *,
    at: datetime,
    embedder: Embedder,
    seq: int | None = None,
) -> Item:
    """Add a message to a thread whose row is locked.

    Nothing is asked of the database for its sake, unless it names files: many of them
    are written together, when the session is flushed.

    Args:
        at: when it was said.
        seq: its place, if that is not the end.

    Raises:
        InvalidRequest, NotFound: it names a file this project does not have.
    """
    content = store_content(body.content)
    await check_images(session, project, content)
    attachments = body.attachments or []
    await attach_files(session, project, thread, attachments, embedder=embedder)
    message = Item(
        project_id=project.id,
        id=new_id("msg"),
        thread_pk=thread.pk,
        seq=thread.take_seq() if seq is None else seq,
        type=ItemType.MESSAGE,
        role=body.role,
        status=ItemStatus.COMPLETED,
        body={
            "content": content,
            "attachments": [attachment.model_dump() for attachment in attachments],
        },
        created_at=at,
        completed_at=at,
        metadata_=body.metadata or {},
    )
    session.add(message)
    return message


async def get_message(
    session: Session,
    project: Project,
    thread_id: str,
    message_id: str,
    *,
    lock: bool = False,
) -> Item:
    """A message on a thread of this project.

    Raises:
        NotFound: no such thread, or no such message on it.
    """
    thread = await get_thread(session, project, thread_id)
    query = select(Item).where(
        Item.project_id == project.id,
        Item.id == message_id,
        Item.thread_pk == thread.pk,
        Item.type == ItemType.MESSAGE,
        Item.deleted_at.is_(None),
    )
    if lock:
        query = query.with_for_update()
    message = await session.scalar(query)
    if message is None:
        raise NotFound("message", message_id)
    return message


async def list_messages(
    session: Session,
    project: Project,
    thread_id: str,
    cursor: Cursor,
    *,
    run_id: str | None = None,
) -> Page[Item]:
    """The messages of a thread, by their place in it."""
    thread = await get_thread(session, project, thread_id)
    ever = select(Item).where(
        Item.project_id == project.id,
        Item.thread_pk == thread.pk,
        Item.type == ItemType.MESSAGE,
        Item.role.in_(("user", "assistant")),
        Item.seq.is_not(None),
    )
    if run_id is not None:
        ever = ever.where(Item.run_id == run_id)
    return await fetch_page(
        session,
        ever.where(Item.deleted_at.is_(None)),
        cursor,
        id=Item.id,
        key=Item.seq,
        places=ever,
    )


async def modify_message(
    session: Session,
    project: Project,
    thread_id: str,
    message_id: str,
    body: ModifyMessageRequest,
) -> Item:
    """Change a message's metadata, or what it says.

    New content stands for all of the old, and annotations go with it. An incomplete
    message is complete then: it says what somebody meant it to.

    Raises:
        IllegalMove: a run on the thread is live, and may have read the old content.
        NotFound: no such message, or the content names a file this project lacks.
    """
    if body.content is not None:
        thread = await get_thread(session, project, thread_id, lock=True)
        check_idle(thread, "edit messages of")
    message = await get_message(session, project, thread_id, message_id, lock=True)
    if body.content is not None:
        content = store_content(body.content)
        await check_images(session, project, content)
        message.body = {**message.body, "content": content}
        if message.status is ItemStatus.INCOMPLETE:
            message.status = ItemStatus.COMPLETED
            message.incomplete_reason = None
    if "metadata" in body.model_fields_set:
        message.metadata_ = body.metadata or {}
    return message


async def delete_message(
    session: Session, project: Project, thread_id: str, message_id: str
) -> None:
    """Take a message out of its thread: no list shows it, no run reads it."""
    message = await get_message(session, project, thread_id, message_id, lock=True)
    message.deleted_at = await session.database_now()
