"""Steps of runs, and the items they consist of."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from runtime.db.paging import Cursor, Page, fetch_page
from runtime.db.transaction import Session
from runtime.errors import NotFound
from runtime.events.announce import announce
from runtime.runs.models import Run, RunStep, StepStatus
from runtime.runs.render import render_step
from runtime.threads.models import Item, ItemType


async def list_steps(
    session: Session, run: Run, cursor: Cursor
) -> tuple[Page[RunStep], dict[int, list[Item]]]:
    """The steps of a run, and the items of each by the step's `pk`."""
    query = select(RunStep).where(RunStep.run_pk == run.pk)
    page = await fetch_page(session, query, cursor, id=RunStep.id, key=RunStep.idx)
    return page, await items_of_steps(session, [step.pk for step in page.data])


async def get_step(
    session: Session, run: Run, step_id: str
) -> tuple[RunStep, list[Item]]:
    """One step of a run and its items.

    Raises:
        NotFound: the run has no such step.
    """
    step = await session.scalar(
        select(RunStep).where(RunStep.run_pk == run.pk, RunStep.id == step_id)
    )
    if step is None:
        raise NotFound("run step", step_id)
    return step, (await items_of_steps(session, [step.pk])).get(step.pk, [])


async def items_of_steps(
    session: Session, step_pks: Sequence[int]
) -> dict[int, list[Item]]:
    """The items of each of these steps, in the order they were made."""
    items: dict[int, list[Item]] = {}
    if step_pks:
        query = select(Item).where(Item.step_pk.in_(step_pks)).order_by(Item.pk)
        for item in await session.scalars(query):
            assert item.step_pk is not None  # the query asked for it
            items.setdefault(item.step_pk, []).append(item)
    return items


async def open_calls_of(session: Session, run: Run) -> list[Item]:
    """The function calls of a run that its caller has not answered."""
    query = (
        select(Item)
        .where(
            Item.run_pk == run.pk,
            Item.type == ItemType.FUNCTION_CALL,
            Item.output.is_(None),
        )
        .order_by(Item.pk)
    )
    return list(await session.scalars(query))


async def complete_step(
    session: Session, run: Run, step_pk: int | None, at: datetime
) -> None:
    """Complete a step whose calls are all answered, and say so."""
    step = await session.get_one(RunStep, step_pk)
    step.status = StepStatus.COMPLETED
    step.ended_at = at
    items = (await items_of_steps(session, [step.pk])).get(step.pk, [])
    announce(
        session,
        run,
        "thread.run.step.completed",
        # createRun may ask that its stream shows what a search found.
        render_step(
            run, step, items, with_content=bool(run.request.get("include"))
        ).model_dump(mode="json"),
    )
