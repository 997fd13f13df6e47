"""Listening to one model answer: deltas in, a turn out, followers told on the way."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from runtime.clock import now
from runtime.engine.citations import CitedText, Piece, Source
from runtime.engine.claim import Claim
from runtime.engine.turn import (
    Calling,
    Saying,
    Turn,
    calls_step,
    derived_id,
    message_item,
    message_step,
)
from runtime.engine.voice import Voice
from runtime.gateway import (
    ChatRequest,
    Finished,
    Gateway,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    stream_chat,
)
from runtime.ids import new_id
from runtime.runs.models import RunStep
from runtime.runs.render import render_step
from runtime.threads.models import Item, ItemStatus
from runtime.threads.render import render_annotation, render_message


class Listener:
    """Takes one answer in, and tells it on.

    After an exception `turn` holds what was heard: its message may have to be shown as
    abandoned.
    """

    def __init__(
        self,
        claim: Claim,
        voice: Voice,
        *,
        number: int,
        take: int,
        sources: Mapping[str, Source],
        written: Mapping[str, str],
        images: Sequence[str],
        functions: frozenset[str],
    ) -> None:
        """
        Args:
            number: the turn's place in the run, from 0.
            take: how often this turn was tried before by this claim.
            sources: what the markers may name.
            written: what links to the sandbox may name.
            images: pictures drawn since the last message; they lead this one.
            functions: names of the caller's functions.
        """
        self._claim = claim
        self._voice = voice
        self._take = take
        self._sources = sources
        self._written = written
        self._images = images
        self._functions = functions
        self._blanks = ""
        self.turn = Turn(number)

    async def listen(self, gateway: Gateway, request: ChatRequest) -> Turn:
        """Hear the whole answer.

        Raises:
            ModelFailed: there was none, or it broke off.
        """
        async with aclosing(stream_chat(gateway, request)) as deltas:
            async for delta in deltas:
                match delta:
                    case TextDelta(text):
                        self._say(text)
                    case RefusalDelta(text):
                        self._refuse(text)
                    case ToolCallDelta():
                        self._call(delta)
                    case Usage():
                        self.turn.usage = delta
                    case Finished(reason):
                        self.turn.finish = reason
        if self.turn.saying is not None:
            self._tell(self.turn.saying.cited.end())
        elif not self.turn.calls:
            self._speaking()  # an empty answer is a message, too
        await self._voice.flush()
        return self.turn

    def _say(self, text: str) -> None:
        # Models put a line break before their calls; that alone is no message.
        if self.turn.saying is None and not text.strip():
            self._blanks += text
            return
        text, self._blanks = self._blanks + text, ""
        self._tell(self._speaking().cited.feed(text))

    def _speaking(self) -> Saying:
        if self.turn.saying is None:
            self.turn.saying = self._begin_message()
        return self.turn.saying

    def _begin_message(self) -> Saying:
        run, number = self._claim.run, self.turn.number
        attempt = run.attempt
        saying = Saying(
            message_id=derived_id("msg", run, attempt, number, self._take),
            step_id=derived_id("step", run, attempt, number, self._take, "message"),
            step_idx=2 * number,
            began_at=now(),
            cited=CitedText(self._sources, self._written),
            images=self._images,
        )
        item = message_item(run, saying, ItemStatus.IN_PROGRESS)
        step = message_step(run, saying, number)
        self._announce_step(step, [item])
        shell = render_message(item, run.thread_id or "").model_dump(mode="json")
        shell["content"] = []
        self._voice.say("thread.message.created", shell)
        self._voice.say("thread.message.in_progress", shell)
        for index, file_id in enumerate(saying.images):
            self._delta(
                saying,
                {
                    "index": index,
                    "type": "image_file",
                    "image_file": {"file_id": file_id},
                },
            )
        return saying

    def _announce_step(self, step: RunStep, items: Sequence[Item]) -> None:
        rendered = render_step(self._claim.run, step, items).model_dump(mode="json")
        self._voice.say("thread.run.step.created", rendered)
        self._voice.say("thread.run.step.in_progress", rendered)

    def _delta(self, saying: Saying, content: dict[str, Any]) -> None:
        self._voice.say(
            "thread.message.delta",
            {
                "id": saying.message_id,
                "object": "thread.message.delta",
                "delta": {"content": [content]},
            },
        )

    def _tell(self, pieces: list[Piece]) -> None:
        saying = self._speaking()
        place = len(saying.images)
        for piece in pieces:
            if piece.annotation is None:
                text: dict[str, Any] = {"value": piece.text}
            else:
                rendered = render_annotation(piece.annotation, piece.start)
                told = {"index": piece.index, **rendered.model_dump(mode="json")}
                text = {"annotations": [told]}
            self._delta(saying, {"index": place, "type": "text", "text": text})

    def _refuse(self, text: str) -> None:
        saying = self._speaking()
        saying.refusal += text
        place = len(saying.images) + bool(saying.cited.text)
        self._delta(saying, {"index": place, "type": "refusal", "refusal": text})

    def _call(self, delta: ToolCallDelta) -> None:
        calls = self.turn.calls
        if delta.index == len(calls):
            calls.append(
                Calling(
                    call_id=new_id("call"),
                    upstream_call_id=delta.id or f"{self.turn.number}-{delta.index}",
                    name=delta.name or "",
                )
            )
            self._begin_call(delta.index)
        call = calls[delta.index]
        call.arguments += delta.arguments
        if call.name in self._functions and delta.arguments:
            more = {"type": "function", "function": {"arguments": delta.arguments}}
            self._call_delta(delta.index, more)

    def _begin_call(self, index: int) -> None:
        turn, run = self.turn, self._claim.run
        if not turn.calls_step_id:
            parts = (turn.number, self._take, "calls")
            turn.calls_step_id = derived_id("step", run, run.attempt, *parts)
            turn.calls_began_at = now()
            self._announce_step(calls_step(run, turn), [])
        call = turn.calls[index]
        if call.name in self._functions:
            function = {"name": call.name, "arguments": "", "output": None}
            # Told once: followers join texts of the same place, ids too.
            shell = {"id": call.call_id, "type": "function", "function": function}
            self._call_delta(index, shell)

    def _call_delta(self, index: int, told: dict[str, Any]) -> None:
        delta = step_delta(self.turn, {"index": index, **told})
        self._voice.say("thread.run.step.delta", delta)


def step_delta(turn: Turn, call: dict[str, Any]) -> dict[str, Any]:
    """The wire's form of a change to one call of this turn's step."""
    details = {"type": "tool_calls", "tool_calls": [call]}
    return {
        "id": turn.calls_step_id,
        "object": "thread.run.step.delta",
        "delta": {"step_details": details},
    }
