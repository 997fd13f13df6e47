"""A thread is forked: its log so far is copied, and goes on under an id of its own.

A model reads on the fork what it would have read on the original. The copies are of no
run and no step: those were the original's, and their steps and usage stay there. So
`run_id` of a copied message is null; who said it (`assistant_id`), and when, is kept.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy import insert as insert_into

from runtime.db.transaction import Session
from runtime.files.models import File
from runtime.ids import new_id
from runtime.projects.models import Project
from runtime.runs.models import Container
from runtime.threads.models import SEQ_STEP, Item, ItemType, Thread
from runtime.threads.places import get_named_message
from runtime.threads.service import get_thread
from runtime.wire.threads import ForkThreadRequest

# As `new_id` has, though these are made by Postgres and hexadecimal: 24 of them, too.
_RANDOM_CHARACTERS = 24
# The longest threads of OpenAI's have 100,000 messages: 40 seconds here, most of them
# for the index of their words.
_COPY_SECONDS = 120


async def fork_thread(
    session: Session, project: Project, thread_id: str, body: ForkThreadRequest
) -> Thread:
    """Copy a thread, whole or up to a message.

    Files and vector stores are shared, not copied. Of a live run, what is finished is
    taken along: its messages, and its calls that have their output.

    Raises:
        NotFound: this project has no such thread.
        InvalidRequest: the last message to take is not on it.
    """
    original = await get_thread(session, project, thread_id)
    last = None
    if body.message_id is not None:
        last = await get_named_message(
            session, original, body.message_id, param="message_id"
        )
    keeps_metadata = "metadata" not in body.model_fields_set
    fork = Thread(
        project_id=project.id,
        id=new_id("thread"),
        metadata_=original.metadata_ if keeps_metadata else body.metadata or {},
        tool_resources=original.tool_resources,
        next_seq=SEQ_STEP,
    )
    session.add(fork)
    await session.flush()
    await _copy_items(session, original, fork, last)
    await _copy_written(session, original, fork, last)
    return fork


async def _copy_items(
    session: Session, original: Thread, fork: Thread, last: Item | None
) -> None:
    # One statement, however long the thread: it sees one moment, and needs no lock.
    copies = _copies(fork)
    query = select(*copies.values()).where(*_taken(original, last)).order_by(Item.seq)
    await session.take_time(_COPY_SECONDS)
    await session.execute(insert_into(Item).from_select(list(copies), query))
    end = select(func.max(Item.seq)).where(Item.thread_pk == fork.pk)
    fork.next_seq = (await session.scalar(end) or 0) + SEQ_STEP


def _copies(fork: Thread) -> dict[str, Any]:
    """What each column of a copy is; those that are not named have their default."""
    place = func.row_number().over(order_by=Item.seq)
    # The calls of one turn are one message to a model, and it is the run that tells one
    # run's first turn from another's: without it, the turns are numbered anew.
    turn = func.dense_rank().over(order_by=(Item.run_pk, Item.turn))
    kept = (
        *(Item.project_id, Item.output_index, Item.type, Item.role, Item.status),
        *(Item.name, Item.body, Item.output, Item.created_at, Item.completed_at),
        *(Item.incomplete_reason, Item.assistant_id),
    )
    return {
        **{column.key: column for column in kept},
        "metadata": Item.metadata_,
        "thread_pk": literal(fork.pk),
        "id": case((Item.type == ItemType.MESSAGE, _id("msg")), else_=_id("item")),
        "seq": place * SEQ_STEP,
        "turn": case((Item.turn.is_not(None), turn), else_=null()),
        "call_id": case((Item.call_id.is_not(None), _id("call")), else_=null()),
        "attempt": literal(0),
        "source_id": Item.id,
    }


def _taken(original: Thread, last: Item | None) -> list[ColumnElement[bool]]:
    live_run = select(Thread.active_run_id).where(Thread.pk == original.pk)
    taken = [
        Item.project_id == original.project_id,
        Item.thread_pk == original.pk,
        Item.seq.is_not(None),
        Item.deleted_at.is_(None),
        # What a former search found is not shown to a model again.
        Item.type != ItemType.FILE_SEARCH_CALL,
        # A call that was never answered is shown as such; one may be answered yet.
        or_(
            Item.type == ItemType.MESSAGE,
            Item.output.is_not(None),
            Item.run_id.is_distinct_from(live_run.scalar_subquery()),
        ),
    ]
    if last is not None:
        # Its place is looked up by the statement itself, as it may be moved meanwhile.
        place = select(Item.seq).where(Item.pk == last.pk).correlate(None)
        taken.append(Item.seq <= place.scalar_subquery())
    return taken


def _id(prefix: str) -> ColumnElement[Any]:
    letters = func.replace(cast(func.gen_random_uuid(), Text), "-", "")
    return literal(f"{prefix}_") + func.left(letters, _RANDOM_CHARACTERS)


async def _copy_written(
    session: Session, original: Thread, fork: Thread, last: Item | None
) -> None:
    """Let the fork's code find the files that the original's wrote up to there."""
    written = await session.scalar(
        select(Container.written).where(
            Container.thread_pk == original.pk, Container.deleted_at.is_(None)
        )
    )
    if not written:
        return
    there = select(File.id).where(
        File.project_id == original.project_id, File.id.in_(written.values())
    )
    if last is not None:
        there = there.where(File.created_at <= (last.completed_at or last.created_at))
    found = set(await session.scalars(there))
    session.add(
        Container(
            project_id=fork.project_id,
            thread_pk=fork.pk,
            written={name: id for name, id in written.items() if id in found},
        )
    )
