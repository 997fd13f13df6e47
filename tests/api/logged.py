"""Calls of tools in a thread's log, which only a worker writes."""

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
