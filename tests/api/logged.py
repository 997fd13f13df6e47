"""Rows of a thread's log: calls of tools, which only workers write, and many messages."""

from collections.abc import Sequence
from typing import Any

from runtime.ids import new_id
from runtime.runs.models import Run, RunStep, StepType
from runtime.threads.models import Item, ItemStatus, ItemType, Thread
from tests.support.make import Make


async def add_call(make: Make, run: Run, turn: int, **fields: Any) -> Item:
    """A call that a run made in this turn; open, unless `fields` say otherwise."""
    async with make.db.transaction() as session:
        thread = await session.get_one(Thread, run.thread_pk)
        step = RunStep(
            project_id=run.project_id,
            id=new_id("step"),
            run_pk=run.pk,
            idx=2 * turn + 1,
            turn=turn,
            type=StepType.TOOL_CALLS,
        )
        session.add(step)
        await session.flush()
        item = Item(
            **{
                "project_id": run.project_id,
                "id": new_id("item"),
                "thread_pk": run.thread_pk,
                "run_pk": run.pk,
                "run_id": run.id,
                "step_pk": step.pk,
                "seq": thread.take_seq(),
                "turn": turn,
                "type": ItemType.FUNCTION_CALL,
                "status": ItemStatus.IN_PROGRESS,
                "call_id": new_id("call"),
                "upstream_call_id": "call_0",
                "name": "add",
                "body": {"arguments": "{}"},
                **fields,
            }
        )
        session.add(item)
    return item


async def add_messages(
    make: Make, thread: Thread, texts: Sequence[str], *, crowded: bool = False
) -> list[Item]:
    """Messages at the end of a thread, all at once.

    Args:
        crowded: with no room between them, as releases before the places had room.
    """
    async with make.db.transaction() as session:
        row = await session.get_one(Thread, thread.pk, with_for_update=True)
        items = []
        for text in texts:
            items.append(message_row(row, text))
            if crowded:
                row.next_seq = (items[-1].seq or 0) + 1
        session.add_all(items)
    return items


def message_row(thread: Thread, text: str) -> Item:
    """A message at the end of a thread whose row is locked, not stored yet."""
    part = {"type": "text", "text": text, "annotations": []}
    return Item(
        project_id=thread.project_id,
        id=new_id("msg"),
        thread_pk=thread.pk,
        seq=thread.take_seq(),
        type=ItemType.MESSAGE,
        role="user",
        status=ItemStatus.COMPLETED,
        body={"content": [part], "attachments": []},
    )
