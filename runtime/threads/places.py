"""Places in a thread's log: one between two items, for what is put in later.

Items are numbered `SEQ_STEP` apart, so nearly always a number between is free, and one
row is written however long the thread. Twenty at one place use the numbers up; then the
next few dozen items are spread anew over the numbers they have together. Only where all
of a thread is crowded are there more of them to move.
"""

from collections.abc import Sequence

from sqlalchemy import ARRAY, BigInteger, func, literal, select, update

from runtime.db.transaction import Session
from runtime.errors import InvalidRequest
from runtime.threads.models import SEQ_STEP, Item, ItemType, Thread

# How many items are spread at first, and how far apart they must come to lie: room for
# ten more at one place. Where that cannot be, twice as many are spread.
_SPREAD_AT_FIRST = 64
_APART = 2**10


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
        following = await _spread_behind(session, thread, place)
    return (place + following) // 2


async def _spread_behind(session: Session, thread: Thread, place: int) -> int:
    """Spread the items behind a place; where the first of them lies then."""
    behind = (
        select(Item.pk, Item.seq)
        .where(Item.thread_pk == thread.pk, Item.seq > place)
        .order_by(Item.seq)
    )
    count = _SPREAD_AT_FIRST
    while True:
        # One more than are moved: it is the bound, and stays.
        found = (await session.execute(behind.limit(count + 1))).all()
        if len(found) <= count:
            # All of them to the end, where there are numbers for everybody.
            step = SEQ_STEP
            end = place + step * (len(found) + 1)
            thread.next_seq = max(thread.next_seq, end)
            break
        *found, bound = found
        step = (bound.seq - place) // (count + 1)
        if step >= _APART:
            break
        count *= 2
    places = [place + step * number for number in range(1, len(found) + 1)]
    await _move(session, [row.pk for row in found], places)
    return places[0]


async def _move(session: Session, pks: Sequence[int], places: Sequence[int]) -> None:
    """Give items new places.

    By way of negative numbers, which nothing else has: Postgres checks that numbers are
    unique row by row, and a neighbour may not have moved yet.
    """
    numbers = ARRAY(BigInteger)
    pairs = func.unnest(literal(pks, numbers), literal(places, numbers))
    new = pairs.table_valued("pk", "seq").render_derived()
    unseen = {"synchronize_session": False}
    await session.execute(
        update(Item).where(Item.pk == new.c.pk).values(seq=-new.c.seq),
        execution_options=unseen,
    )
    await session.execute(
        update(Item).where(Item.pk.in_(pks)).values(seq=-Item.seq),
        execution_options=unseen,
    )
