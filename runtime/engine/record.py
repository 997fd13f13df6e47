"""The only writer of messages and steps during a run: row and event together.

Each method is one transaction that shows the claim first, and can be run again: what it
would write is keyed, so a commit whose answer was lost is found and not repeated.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import select

from runtime import jobs
from runtime.db.transaction import Database, Session
from runtime.engine.claim import Claim, Shown
from runtime.engine.patience import patiently
from runtime.engine.rows import (
    MESSAGE_REASONS,
    announce_message,
    charge,
    complete_open_steps,
    count,
    is_stored,
    say_cancelling,
    spend,
    store_calls,
    store_cut,
    store_message,
)
from runtime.engine.turn import Turn, calls_step, message_item, message_step
from runtime.events.announce import announce
from runtime.runs import lifecycle
from runtime.runs.ending import end_run
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus
from runtime.runs.render import render_run, render_step
from runtime.runs.steps import open_calls_of
from runtime.threads.models import Item, ItemStatus, ItemType

T = TypeVar("T")

BROKE_OFF = "The answer broke off; it is asked for again."


class Record:
    """Writes down what one claim's run does."""

    def __init__(self, db: Database, claim: Claim) -> None:
        self._db = db
        self._claim = claim

    async def _write(self, work: Callable[[Shown], Awaitable[T]]) -> T:
        """Do `work` by the claim; again, while the database is away.

        Raises:
            ClaimLost: the run is somebody else's, or has ended.
        """

        async def once() -> T:
            async with self._claim.shown(self._db) as shown:
                done = await work(shown)
            return done

        return await patiently(once)

    async def complete(self, turn: Turn) -> None:
        """Store the final message, its step and the run's end, all or nothing."""

        async def work(shown: Shown) -> None:
            count(shown.run, turn)
            await store_message(shown, turn)
            await end_run(shown.session, shown.run, RunStatus.COMPLETED, shown.now)

        await self._write(work)

    async def keep_calls(self, turn: Turn) -> None:
        """Store a turn's calls before any of them runs."""

        async def work(shown: Shown) -> None:
            if shown.run.turn > turn.number:
                return  # a commit whose answer was lost
            count(shown.run, turn)
            if turn.saying is not None:
                await store_message(shown, turn)
            await store_calls(shown, turn)
            for name, data in turn.held:
                announce(shown.session, shown.run, name, data)

        await self._write(work)

    async def open_calls(self) -> list[tuple[Item, str]]:
        """The calls that have no output yet, in order, each with its step's id."""

        async def work(shown: Shown) -> list[tuple[Item, str]]:
            query = (
                select(Item, RunStep.id)
                .join(RunStep, RunStep.pk == Item.step_pk)
                .where(
                    Item.run_pk == shown.run.pk,
                    Item.type != ItemType.MESSAGE,
                    Item.output.is_(None),
                )
                .order_by(Item.pk)
            )
            return [
                (item, step_id) for item, step_id in await shown.session.execute(query)
            ]

        return await self._write(work)

    async def note_epoch(self, call: Item, epoch: str) -> bool:
        """Write down in which container a call is about to run.

        Returns:
            Whether this is the first time: else a former attempt may have run it.
        """

        async def work(shown: Shown) -> bool:
            row = await shown.session.get_one(Item, call.pk)
            first = "epoch" not in row.body
            if first:
                row.body = {**row.body, "epoch": epoch}
            call.body = row.body
            return first

        return await self._write(work)

    async def answer(
        self,
        call: Item,
        output: dict[str, Any],
        *,
        failed: bool = False,
        also: Callable[[Session, Run], Awaitable[None]] | None = None,
    ) -> None:
        """Store a call's output, once.

        Args:
            call: the item.
            output: in the form of its type; `text` is what the model reads.
            failed: the tool itself failed, not what it was asked to do.
            also: rows to write in the same transaction.
        """

        async def work(shown: Shown) -> None:
            row = await shown.session.get_one(Item, call.pk)
            if row.output is not None:
                return
            row.output = output
            row.status = ItemStatus.FAILED if failed else ItemStatus.COMPLETED
            row.completed_at = shown.now
            if also is not None:
                await also(shown.session, shown.run)

        await self._write(work)

    async def settle_calls(self) -> bool:
        """All calls we can answer are answered: go on, or wait for the caller.

        Returns:
            Whether the run waits now, in `requires_action`, its claim given up.
        """

        async def work(shown: Shown) -> bool:
            run, session = shown.run, shown.session
            calls = await open_calls_of(session, run)
            if not calls:
                await complete_open_steps(session, run, shown.now)
                return False
            if run.status is RunStatus.CANCELLING:
                # Asked for since we last looked; there is nothing left to stop.
                say_cancelling(shown)
                await end_run(session, run, RunStatus.CANCELLED, shown.now)
                return True
            lifecycle.move(run, RunStatus.REQUIRES_ACTION, shown.now)
            rendered = render_run(run, calls).model_dump(mode="json")
            announce(session, run, "thread.run.requires_action", rendered)
            return True

        return await self._write(work)

    async def abandon(self, turn: Turn, why: str = BROKE_OFF) -> None:
        """Show an answer as incomplete: its turn is taken again.

        The message stays on the thread, left out of prompts. The step that was announced
        and never stored is told to have failed. What it cost stays the run's.

        Args:
            turn: what was heard of it.
            why: a sentence for the failed step.
        """

        async def work(shown: Shown) -> None:
            run = shown.run
            if await is_stored(shown, turn):
                return  # a commit whose answer was lost
            spend(run, turn)
            items = []
            if turn.saying is not None:
                item = message_item(run, turn.saying, ItemStatus.INCOMPLETE, shown.now)
                item.incomplete_reason = "run_failed"
                item.seq = shown.thread.take_seq()
                shown.session.add(item)
                announce_message(shown, item, "incomplete")
                items.append(item)
            # While a turn is spoken, followers know of one step alone.
            if turn.saying is not None and turn.saying.shows_step:
                step = message_step(run, turn.saying, turn.number)
            else:
                step, items = calls_step(run, turn), []
            charge(step, turn)
            step.status, step.ended_at = StepStatus.FAILED, shown.now
            step.error_code, step.error_message = "server_error", why
            rendered = render_step(run, step, items).model_dump(mode="json")
            announce(shown.session, run, "thread.run.step.failed", rendered)

        if turn.saying is not None or turn.calls_step_id:
            await self._write(work)

    async def end(
        self,
        to: RunStatus,
        heard: Turn | None = None,
        *,
        error: tuple[str, str] | None = None,
        incomplete_reason: str | None = None,
        message_reason: str | None = None,
    ) -> None:
        """End the run before its time, keeping what was heard of its last answer.

        Args:
            to: how it ends.
            heard: an answer that is not stored, whole or in part.
            error: code and sentence of a failure.
            incomplete_reason: which budget ran out.
            message_reason: why the message is incomplete, where the run's end does not
                say it.
        """

        async def work(shown: Shown) -> None:
            run, session = shown.run, shown.session
            if (
                heard is not None
                and run.turn <= heard.number
                # Else it was just abandoned, and whoever did it was interrupted.
                and not await is_stored(shown, heard)
            ):
                count(run, heard)
                await store_cut(shown, heard, message_reason or MESSAGE_REASONS[to])
            await end_run(
                session,
                run,
                to,
                shown.now,
                error=error,
                incomplete_reason=incomplete_reason,
            )

        await self._write(work)

    async def say_cancelling(self) -> None:
        """Tell the followers that a cancel was heard."""

        async def work(shown: Shown) -> None:
            if shown.run.status is RunStatus.CANCELLING:
                say_cancelling(shown)

        await self._write(work)

    async def hand_back(self) -> None:
        """Let another worker take the run, at once: this one is stopping."""

        async def work(shown: Shown) -> None:
            run = shown.run
            if run.status is RunStatus.CANCELLING:
                say_cancelling(shown)
                await end_run(shown.session, run, RunStatus.CANCELLED, shown.now)
                return
            lifecycle.move(run, RunStatus.QUEUED, shown.now)
            rendered = render_run(run).model_dump(mode="json")
            announce(shown.session, run, "thread.run.queued", rendered)
            jobs.enqueue(shown.session, jobs.DRIVE_RUNS)

        await self._write(work)
