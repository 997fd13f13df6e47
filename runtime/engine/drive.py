"""The story of one run: claimed, driven turn by turn, ended.

    claim → (finish what a lost worker began) → prompt → turn ─┬→ no calls: completed
                      ▲                                        ├→ calls of ours: answered ─┐
                      └────────────────────────────────────────┼───────────────────────────┘
                                                               └→ the caller's: requires_action

Each step is stored before the next begins, so whoever drives the run next goes on from
the last one. Only a model call itself can happen twice.
"""

import asyncio
from functools import partial
from typing import Any

import structlog

from runtime.db.transaction import DatabaseAway
from runtime.engine.asking import Asking
from runtime.engine.claim import Claim, ClaimLost, Interruption
from runtime.engine.engine import Engine
from runtime.engine.entry import MessagesRefused, bring_messages
from runtime.engine.patience import patiently
from runtime.engine.record import Record
from runtime.engine.rows import count
from runtime.engine.takeover import abandon_leftovers
from runtime.engine.tools.call import Call
from runtime.engine.tools.registry import ANSWERERS
from runtime.engine.truncation import BudgetSpent
from runtime.engine.turn import Turn
from runtime.engine.voice import Voice
from runtime.gateway import ModelFailed
from runtime.runs.models import RunStatus

log = structlog.get_logger()

_LET_GO_SECONDS = 10


async def drive_waiting(engine: Engine) -> None:
    """Claim the fairest waiting run, carry it as far as it will go, then the next."""
    while not engine.stopping:
        try:
            claim = await engine.claims.take()
        except DatabaseAway:
            return  # the sweeper rings again when it is back
        if claim is None:
            return
        with structlog.contextvars.bound_contextvars(
            run_id=claim.run.id, attempt=claim.run.attempt
        ):
            await carry(engine, claim)


async def carry(engine: Engine, claim: Claim) -> None:
    """Drive a claimed run until it pauses, ends or is interrupted; then let it go."""
    drive = Drive(engine, claim)
    expiry = asyncio.get_running_loop().call_later(
        claim.seconds_left, claim.interrupt, Interruption.EXPIRED
    )
    work = asyncio.create_task(drive.run())
    try:
        either: set[asyncio.Future[Any]] = {work, claim.interruption}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            # Whatever does not let go in time is left behind: it can write nothing, for
            # the claim is gone once the run is settled.
            await asyncio.wait({work}, timeout=_LET_GO_SECONDS)
            await drive.settle(claim.interruption.result())
        else:
            await drive.conclude(work)
    except ClaimLost:
        log.info("claim lost")
    finally:
        expiry.cancel()
        engine.claims.drop(claim)


class Drive:
    """One claim's work on its run."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self._claim = claim
        self._record = Record(engine.db, claim)
        self._asking = Asking(engine, claim, self._record)

    async def run(self) -> None:
        """Turn by turn, to the end or to a pause."""
        claim, record = self._claim, self._record
        async with Voice.of(self._engine.bus, claim) as voice:
            if claim.is_takeover:
                await abandon_leftovers(self._engine.bus, record, claim)
            await bring_messages(
                self._engine.db, claim, embedder=self._engine.gateway.embedder
            )
            if claim.run.turn > 0 and await self._answer_calls(voice):
                return
            while not self._engine.stopping:
                turn = await self._asking.take_turn(voice)
                if turn.finish in ("length", "content_filter"):
                    await self._end_cut(turn)
                    return
                if not turn.calls:
                    await record.complete(turn)
                    return
                await record.keep_calls(turn)
                self._asking.heard = None
                count(claim.run, turn)
                if await self._answer_calls(voice):
                    return
            await record.hand_back()

    async def _answer_calls(self, voice: Voice) -> bool:
        """Answer the open calls that are ours; true when the caller's are left."""
        for item, step_id in await self._record.open_calls():
            answer = ANSWERERS.get(item.type)
            if answer is not None:
                call = Call(
                    engine=self._engine,
                    record=self._record,
                    voice=voice,
                    run=self._claim.run,
                    item=item,
                    step_id=step_id,
                    claim=self._claim,
                )
                # Twice does no harm: an output is stored once, and the sandbox answers
                # a call it knows from its journal.
                await patiently(partial(answer, call))
        await voice.flush()
        return await self._record.settle_calls()

    async def _end_cut(self, turn: Turn) -> None:
        if turn.finish == "content_filter":
            await self._record.end(
                RunStatus.INCOMPLETE, turn, message_reason="content_filter"
            )
        else:
            await self._record.end(
                RunStatus.INCOMPLETE,
                turn,
                incomplete_reason="max_completion_tokens",
                message_reason="max_tokens",
            )

    async def conclude(self, work: "asyncio.Task[None]") -> None:
        """The work is over by itself: if by an exception, the run has failed."""
        failure = work.exception()
        match failure:
            case None:
                return
            case ClaimLost():
                raise failure
            case BudgetSpent():
                await self._record.end(
                    RunStatus.INCOMPLETE, incomplete_reason=failure.which
                )
            case MessagesRefused():
                error = ("invalid_prompt", failure.message)
                await self._record.end(RunStatus.FAILED, error=error)
            case ModelFailed():
                error = (failure.code, failure.message)
                await self._record.end(
                    RunStatus.FAILED, self._asking.heard, error=error
                )
            case _:
                log.error("run failed", exc_info=failure)
                error = ("server_error", "The run failed by an error of the server.")
                await self._record.end(
                    RunStatus.FAILED, self._asking.heard, error=error
                )

    async def settle(self, why: Interruption) -> None:
        """The work was interrupted: leave the run as that demands."""
        match why:
            case Interruption.CANCELLED:
                await self._record.say_cancelling()
                await self._record.end(RunStatus.CANCELLED, self._asking.heard)
            case Interruption.EXPIRED:
                await self._record.end(RunStatus.EXPIRED, self._asking.heard)
            case Interruption.SHUTDOWN:
                if self._asking.heard is not None:
                    await self._record.abandon(self._asking.heard)
                await self._record.hand_back()
            case Interruption.LOST:
                raise ClaimLost
