"""One turn: the model is asked until its answer can be used, or gives up.

Answers that break off or are not in the form that was asked for are shown as abandoned,
and the turn is taken again. A thread that is longer than the model can read is cut down.
"""

from typing import Any

import structlog

from runtime.engine.answer_format import UnfitAnswer, check_answer, correction
from runtime.engine.claim import Claim
from runtime.engine.engine import Engine
from runtime.engine.listen import Listener
from runtime.engine.patience import patiently
from runtime.engine.prompt import (
    History,
    build_request,
    may_be_cut,
    read_history,
)
from runtime.engine.record import BROKE_OFF, Record
from runtime.engine.rows import spend
from runtime.engine.sources import images_of, sources_of
from runtime.engine.tools.containers import files_of, written_of
from runtime.engine.truncation import tokens
from runtime.engine.turn import Turn
from runtime.engine.voice import Voice
from runtime.gateway import ChatRequest, ContextExceeded, ModelFailed
from runtime.projects.models import Project
from runtime.runs.models import Run
from runtime.threads.models import Item, ItemType

log = structlog.get_logger()

Json = dict[str, Any]

# A turn is taken this often before its run fails.
_TAKES = 3


class Asking:
    """The questions of one claim to its run's model.

    Attributes:
        heard: the answer being listened to: not stored yet, perhaps never.
    """

    def __init__(self, engine: Engine, claim: Claim, record: Record) -> None:
        self.heard: Turn | None = None
        self._engine = engine
        self._claim = claim
        self._record = record
        # What the model takes, as far as it has shown by refusing more.
        self._context_tokens: int | None = None

    async def take_turn(self, voice: Voice) -> Turn:
        """Ask the model; again, when its answer breaks off or is not as asked for.

        Raises:
            ModelFailed: it gave no usable answer, however often it was asked.
            BudgetSpent: it may not be asked any more.
        """
        history, written = await patiently(self._read)
        behind: list[Json] = []
        for take in range(_TAKES):
            listener = self._listener(voice, take, history, written)
            try:
                await self._ask(listener, history, behind)
                await check_answer(self._claim.run, listener.turn)
                return listener.turn
            except ModelFailed as failure:
                if not listener.turn.is_begun or take == _TAKES - 1:
                    raise
                await self._abandon(voice, listener.turn, failure)
                if isinstance(failure, UnfitAnswer):
                    behind = correction(listener.turn, failure)
        raise AssertionError("the last take returns or raises")

    def _listener(
        self, voice: Voice, take: int, history: History, written: dict[str, str]
    ) -> Listener:
        run = self._claim.run
        own = [item for item in history.items if item.run_pk == run.pk]
        listener = Listener(
            self._claim,
            voice,
            number=run.turn,
            take=take,
            sources=sources_of(own),
            written=written,
            images=images_of(_since_last_message(own)),
        )
        self.heard = listener.turn
        return listener

    async def _ask(
        self, listener: Listener, history: History, behind: list[Json]
    ) -> None:
        """Have the model answer; with ever less of the thread, while it is too much."""
        run, engine = self._claim.run, self._engine
        longer: ChatRequest | None = None
        while True:
            request = await build_request(
                run,
                history,
                engine.storage,
                context_tokens=self._context_tokens,
                correction=behind,
            )
            try:
                await listener.listen(engine.gateway, request)
                return
            except ContextExceeded:
                is_shorter = longer is None or request.messages != longer.messages
                if not may_be_cut(run) or not is_shorter:
                    raise
                # Refusals cost nothing and come at once: no better guess is needed.
                self._context_tokens = tokens(request.messages) // 2
                log.info("thread cut down", context_tokens=self._context_tokens)
                if listener.turn.is_begun:
                    raise  # it ran out of room while it spoke: that turn is void
                longer = request

    async def _abandon(self, voice: Voice, turn: Turn, failure: ModelFailed) -> None:
        unfit = isinstance(failure, UnfitAnswer)
        await voice.flush()
        await self._record.abandon(turn, failure.message if unfit else BROKE_OFF)
        spend(self._claim.run, turn)
        self.heard = None

    async def _read(self) -> tuple[History, dict[str, str]]:
        """What the model is told of, and the files that its answer may link to."""
        run = self._claim.run
        async with self._engine.db.transaction() as session:
            code_files, written = [], {}
            if _runs_code(run):
                code_files = list(await files_of(session, run))
                written = await written_of(session, run)
            project = Project(id=run.project_id)
            return await read_history(session, project, run, code_files), written


def _runs_code(run: Run) -> bool:
    return any(tool["type"] == "code_interpreter" for tool in run.tools)


def _since_last_message(items: list[Item]) -> list[Item]:
    """The calls behind the last message: what they drew was not shown yet."""
    since: list[Item] = []
    for item in items:
        since = [] if item.type is ItemType.MESSAGE else [*since, item]
    return since
