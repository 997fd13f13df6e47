"""How a turn becomes rows and events, inside a transaction that shows the claim."""

from datetime import datetime

from sqlalchemy import select

from runtime.db.transaction import Session
from runtime.engine.claim import Shown
from runtime.engine.turn import (
    Turn,
    call_body,
    call_type,
    calls_step,
    message_item,
    message_step,
)
from runtime.events.announce import announce
from runtime.ids import new_id
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus
from runtime.runs.render import render_run
from runtime.runs.steps import complete_step, items_of_steps
from runtime.threads.models import Item, ItemStatus, ItemType
from runtime.threads.render import render_message

# Why a message of an ended run is incomplete.
MESSAGE_REASONS = {
    RunStatus.CANCELLED: "run_cancelled",
    RunStatus.EXPIRED: "run_expired",
    RunStatus.FAILED: "run_failed",
}


def count(run: Run, turn: Turn) -> None:
    """One more turn is kept, and its tokens are the run's."""
    run.turn = turn.number + 1
    spend(run, turn)


def spend(run: Run, turn: Turn) -> None:
    """A turn's tokens are the run's, whether it is kept or thrown away."""
    run.input_tokens += turn.usage.input_tokens
    run.cached_tokens += turn.usage.cached_tokens
    run.output_tokens += turn.usage.output_tokens
    run.reasoning_tokens += turn.usage.reasoning_tokens


def charge(step: RunStep, turn: Turn) -> None:
    """A model call's tokens stand on one of the steps that came of it."""
    step.input_tokens = turn.usage.input_tokens
    step.output_tokens = turn.usage.output_tokens


async def is_stored(shown: Shown, turn: Turn) -> bool:
    """Whether a message was stored by a commit whose answer was lost."""
    if turn.saying is None:
        return False
    query = select(Item.pk).where(
        Item.project_id == shown.run.project_id, Item.id == turn.saying.message_id
    )
    return await shown.session.scalar(query) is not None


async def store_message(shown: Shown, turn: Turn) -> None:
    """Store a whole message and the step that created it."""
    assert turn.saying is not None  # the caller looked
    run, session = shown.run, shown.session
    step = _step_of_message(shown, turn)
    if not turn.calls:
        charge(step, turn)
    session.add(step)
    await session.flush()
    item = message_item(run, turn.saying, ItemStatus.COMPLETED, shown.now)
    item.seq = shown.thread.take_seq()
    item.step_pk = step.pk
    session.add(item)
    await session.flush()
    announce_message(shown, item, "completed")
    if step.status is StepStatus.IN_PROGRESS:
        await complete_step(session, run, step.pk, shown.now)


def _step_of_message(shown: Shown, turn: Turn) -> RunStep:
    """The step of a turn's message; ended at once, if nobody heard of its beginning."""
    assert turn.saying is not None  # the caller looked
    step = message_step(shown.run, turn.saying, turn.number)
    if not turn.saying.shows_step:
        step.status, step.ended_at = StepStatus.COMPLETED, shown.now
    return step


async def store_calls(shown: Shown, turn: Turn) -> None:
    """Store a turn's calls, none of them run yet, and their step."""
    run, session = shown.run, shown.session
    step = calls_step(run, turn)
    charge(step, turn)
    session.add(step)
    await session.flush()
    for index, call in enumerate(turn.calls):
        known = call_type(run, call.name)
        type = known or ItemType.FUNCTION_CALL
        session.add(
            Item(
                project_id=run.project_id,
                id=new_id("item"),
                thread_pk=run.thread_pk,
                run_pk=run.pk,
                run_id=run.id,
                step_pk=step.pk,
                seq=shown.thread.take_seq(),
                turn=turn.number,
                output_index=index,
                type=type,
                status=ItemStatus.IN_PROGRESS if known else ItemStatus.FAILED,
                call_id=call.call_id,
                upstream_call_id=call.upstream_call_id,
                name=call.name,
                body=call_body(call, type),
                # Nobody could answer it; the model is told, and may do better.
                output=None if known else {"text": _no_such_tool(call.name)},
                attempt=run.attempt,
                assistant_id=run.assistant_id,
                created_at=shown.now,
                completed_at=None if known else shown.now,
            )
        )
        # One by one, so that `pk` has the order of the calls.
        await session.flush()


def _no_such_tool(name: str) -> str:
    return f"There is no tool named '{name[:64]}' here; nothing was done."


async def store_cut(shown: Shown, heard: Turn, reason: str) -> None:
    """Store what was heard of an answer that ends here; its steps stay open."""
    run, session = shown.run, shown.session
    if heard.saying is not None:
        step = _step_of_message(shown, heard)
        charge(step, heard)
        session.add(step)
        await session.flush()
        item = message_item(run, heard.saying, ItemStatus.INCOMPLETE, shown.now)
        item.incomplete_reason = reason
        item.seq = shown.thread.take_seq()
        item.step_pk = step.pk
        session.add(item)
        await session.flush()
        announce_message(shown, item, "incomplete")
    # Of calls that are held back nobody has heard.
    if heard.calls_step_id and not heard.held:
        step = calls_step(run, heard)
        if heard.saying is None:
            charge(step, heard)
        session.add(step)
        await session.flush()


def say_cancelling(shown: Shown) -> None:
    """Tell the followers that a cancel was heard."""
    rendered = render_run(shown.run).model_dump(mode="json")
    announce(shown.session, shown.run, "thread.run.cancelling", rendered)


def announce_message(shown: Shown, item: Item, state: str) -> None:
    """Tell that a message is `completed` or `incomplete`."""
    rendered = render_message(item, shown.run.thread_id or "").model_dump(mode="json")
    announce(shown.session, shown.run, f"thread.message.{state}", rendered)


async def complete_open_steps(session: Session, run: Run, at: datetime) -> None:
    """Complete the open steps whose calls are all answered."""
    query = select(RunStep).where(
        RunStep.run_pk == run.pk, RunStep.status == StepStatus.IN_PROGRESS
    )
    for step in list(await session.scalars(query)):
        items = (await items_of_steps(session, [step.pk])).get(step.pk, [])
        if all(item.output is not None for item in items):
            await complete_step(session, run, step.pk, at)
