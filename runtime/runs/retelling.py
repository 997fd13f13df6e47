"""How a run ended or paused, told from its rows to a follower whose stream was lost."""

from collections.abc import Container
from typing import Any

from sqlalchemy import select

from runtime.db.transaction import Session
from runtime.events.announce import stream_of
from runtime.events.event import Event
from runtime.runs.lifecycle import ENDED
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus
from runtime.runs.render import render_run, render_step
from runtime.runs.steps import items_of_steps, open_calls_of
from runtime.threads.models import Item, ItemType
from runtime.threads.render import render_message


async def retell_end(
    session: Session, run_pk: int, *, heard: int, from_turn: int, told: Container[str]
) -> list[Event] | None:
    """The events that end a stream, or None while the run goes on.

    A deleted thread hides its run from callers, not from who follows it already.

    Args:
        run_pk: the run.
        heard: number of the last event that the follower has heard.
        from_turn: the first turn that it was to hear of, from 0.
        told: ids of the messages and steps whose end it has heard.

    Returns:
        How each message and step ended of which it was not told, then the run itself.
        Only the last has a number; nothing, when the end was heard.
    """
    run = await session.get_one(Run, run_pk)
    paused = run.status is RunStatus.REQUIRES_ACTION and run.event_seq > heard
    if not paused and run.status not in ENDED:
        return None
    if run.event_seq <= heard:
        return []
    calls = await open_calls_of(session, run) if paused else []
    last = Event(
        stream_of(run),
        run.event_seq,
        f"thread.run.{run.status}",
        render_run(run, calls).model_dump(mode="json"),
    )
    return [*await _missed(session, run, from_turn, told), last]


async def _missed(
    session: Session, run: Run, from_turn: int, told: Container[str]
) -> list[Event]:
    messages = await session.scalars(
        select(Item)
        .where(
            Item.run_pk == run.pk,
            Item.type == ItemType.MESSAGE,
            Item.turn >= from_turn,
            Item.deleted_at.is_(None),
        )
        .order_by(Item.seq)
    )
    missed = [
        (item.turn or 0, _message_end(run, item))
        for item in messages
        if item.id not in told
    ]
    query = select(RunStep).where(RunStep.run_pk == run.pk, RunStep.turn >= from_turn)
    steps = [
        step
        for step in await session.scalars(query.order_by(RunStep.idx))
        if step.status is not StepStatus.IN_PROGRESS and step.id not in told
    ]
    items = await items_of_steps(session, [step.pk for step in steps])
    missed += [
        (step.turn, _step_end(run, step, items.get(step.pk, []))) for step in steps
    ]
    # Sorting is stable: within a turn its messages stay in front of its steps.
    return [event for _, event in sorted(missed, key=lambda entry: entry[0])]


def _message_end(run: Run, item: Item) -> Event:
    rendered = render_message(item, run.thread_id or "")
    return _unnumbered(run, f"thread.message.{rendered.status}", rendered)


def _step_end(run: Run, step: RunStep, items: list[Item]) -> Event:
    rendered = render_step(run, step, items)
    return _unnumbered(run, f"thread.run.step.{rendered.status}", rendered)


def _unnumbered(run: Run, name: str, rendered: Any) -> Event:
    return Event(stream_of(run), 0, name, rendered.model_dump(mode="json"))
