"""Places in a thread's log: one between two items, for what is put in later.

Items are numbered `SEQ_STEP` apart, so nearly always a number between is free, and one
row is written however long the thread. Twenty at one place use the numbers up; then all
behind it move on by a step, which costs a write for each of them, once. Threads that
were numbered without gaps, by releases before this, are given room in the same way.
"""

from sqlalchemy import func, select, update

from runtime.db.transaction import Session
from runtime.errors import InvalidRequest
from runtime.threads.models import SEQ_STEP, Item, ItemType, Thread


async def place_beside(
    session: Session, thread: Thread, *, before: str | None, after: str | None
) -> int | None:
    """The place beside a message, on a thread whose row is locked; None: the end.

    Between two neighbouring messages there is one place, whichever of them is named: the
    calls of tools that led to a message stay with it.

    Args:
        before: id of the message in front of which it is, or
        after: behind which.

    Raises:
        InvalidRequest: no such message on this thread.
    """
    if before is not None:
        message = await get_named_message(session, thread, before, param="before")
        previous = await _place_before(session, thread, message)
        return await _free_behind(session, thread, previous)
    if after is not None:
        message = await get_named_message(session, thread, after, param="after")
        return await _free_behind(session, thread, _place_of(message))
    return None


async def get_named_message(
    session: Session, thread: Thread, message_id: str, *, param: str
) -> Item:
    """The message of a thread that a request names in its field `param`.

    Raises:
        InvalidRequest: there is none that the thread's list shows.
    """
    message = await session.scalar(
        select(Item).where(
            Item.thread_pk == thread.pk,
            Item.id == message_id,
            Item.type == ItemType.MESSAGE,
            Item.role.in_(("user", "assistant")),
            Item.seq.is_not(None),
            Item.deleted_at.is_(None),
        )
    )
    if message is None:
        raise InvalidRequest(
            f"No message with id '{message_id[:128]}' is on this thread.", param=param
        )
    return message


def _place_of(message: Item) -> int:
    assert message.seq is not None  # it is shown, so it has a place
    return message.seq


async def _place_before(session: Session, thread: Thread, message: Item) -> int:
    """The place of the message in front of this one; 0 if it is the first."""
    found = await session.scalar(
        select(func.max(Item.seq)).where(
            Item.thread_pk == thread.pk,
            Item.type == ItemType.MESSAGE,
            Item.seq < _place_of(message),
        )
    )
    return found or 0


async def _free_behind(session: Session, thread: Thread, place: int) -> int:
    following = await session.scalar(
        select(func.min(Item.seq)).where(Item.thread_pk == thread.pk, Item.seq > place)
    )
    if following is None:
        return thread.take_seq()
    if following - place < 2:
        await _make_room_behind(session, thread, place)
        following += SEQ_STEP
    return (place + following) // 2


async def _make_room_behind(session: Session, thread: Thread, place: int) -> None:
    """Move all behind a place on by a step.

    By way of negative numbers, which nothing else has: Postgres checks that numbers are
    unique row by row, and a neighbour may not have moved yet.
    """
    moving = update(Item).where(Item.thread_pk == thread.pk)
    unseen = {"synchronize_session": False}
    await session.execute(
        moving.where(Item.seq > place).values(seq=-Item.seq - SEQ_STEP),
        execution_options=unseen,
    )
    await session.execute(
        moving.where(Item.seq < 0).values(seq=-Item.seq), execution_options=unseen
    )
    thread.next_seq += SEQ_STEP
