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
    call_body,
    call_type,
    calls_step,
    derived_id,
    message_item,
    message_step,
)
from runtime.engine.voice import Voice, extended
from runtime.gateway import (
    ChatRequest,
    Finished,
    Gateway,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    estimated_usage,
    stream_chat,
)
from runtime.ids import new_id
from runtime.runs.models import RunStep
from runtime.runs.render import render_step
from runtime.threads.models import Item, ItemStatus, ItemType
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
    ) -> None:
        """
        Args:
            number: the turn's place in the run, from 0.
            take: how often this turn was tried before by this claim.
            sources: what the markers may name.
            written: what links to the sandbox may name.
            images: pictures drawn since the last message; they lead this one.
        """
        self._claim = claim
        self._voice = voice
        self._take = take
        self._sources = sources
        self._written = written
        self._images = images
        self._blanks = ""
        self._holds_calls = False
        self._counted = False
        self.turn = Turn(number)

    async def listen(self, gateway: Gateway, request: ChatRequest) -> Turn:
        """Hear the whole answer.

        Raises:
            ModelFailed: there was none, or it broke off.
        """
        try:
            await self._hear(gateway, request)
        finally:
            if not self._counted:
                self.turn.usage = self._estimated(request)
        if self.turn.saying is not None:
            self._tell(self.turn.saying.cited.end())
        elif not self.turn.calls:
            self._speaking()  # an empty answer is a message, too
        for index, call in enumerate(self.turn.calls):
            if self._type(call) is ItemType.CODE_INTERPRETER_CALL:
                body = call_body(call, ItemType.CODE_INTERPRETER_CALL)
                self._tell_code(index, call.code.end(body.get("code")))
        await self._voice.flush()
        return self.turn

    async def _hear(self, gateway: Gateway, request: ChatRequest) -> None:
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
                        self._counted = True
                    case Finished(reason):
                        self.turn.finish = reason

    def _estimated(self, request: ChatRequest) -> Usage:
        """What an answer that broke off, or was broken off, has cost all the same."""
        turn, said = self.turn, self.turn.saying
        if not turn.is_begun:
            return turn.usage
        heard = sum(len(call.name) + len(call.arguments) for call in turn.calls)
        if said is not None:
            heard += len(said.cited.text) + len(said.refusal)
        return estimated_usage(request, heard)

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
            shows_step=not self.turn.calls_step_id,
        )
        item = message_item(run, saying, ItemStatus.IN_PROGRESS)
        step = message_step(run, saying, number)
        if saying.shows_step:
            for name, data in self._begun(step, [item]):
                self._voice.say(name, data)
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

    def _begun(
        self, step: RunStep, items: Sequence[Item]
    ) -> list[tuple[str, dict[str, Any]]]:
        rendered = render_step(self._claim.run, step, items).model_dump(mode="json")
        states = ("created", "in_progress")
        return [(f"thread.run.step.{state}", rendered) for state in states]

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
        if not delta.arguments:
            return
        match self._type(call):
            case ItemType.FUNCTION_CALL:
                change = {"arguments": delta.arguments}
                self._call_delta(delta.index, {"type": "function", "function": change})
            case ItemType.CODE_INTERPRETER_CALL:
                self._tell_code(delta.index, call.code.feed(delta.arguments))

    def _type(self, call: Calling) -> ItemType:
        # What the run does not have is kept as a function that could not be called.
        return call_type(self._claim.run, call.name) or ItemType.FUNCTION_CALL

    def _begin_call(self, index: int) -> None:
        turn, run = self.turn, self._claim.run
        if not turn.calls_step_id:
            parts = (turn.number, self._take, "calls")
            turn.calls_step_id = derived_id("step", run, run.attempt, *parts)
            turn.calls_began_at = now()
            self._holds_calls = turn.saying is not None
            for name, data in self._begun(calls_step(run, turn), []):
                self._tell_of_calls(name, data)
        call = turn.calls[index]
        # The id comes once: followers put texts of one call together, ids too.
        self._call_delta(index, {"id": call.call_id, **_shell(call, self._type(call))})

    def _tell_code(self, index: int, code: str) -> None:
        if code:
            change = {"type": "code_interpreter", "code_interpreter": {"input": code}}
            self._call_delta(index, change)

    def _call_delta(self, index: int, change: dict[str, Any]) -> None:
        told = step_delta(self.turn.calls_step_id, {"index": index, **change})
        self._tell_of_calls("thread.run.step.delta", told)

    def _tell_of_calls(self, name: str, data: dict[str, Any]) -> None:
        # A message goes on until its turn is over, and so does its step. The official
        # SDK for Node.js gives a stream up that begins another step before that.
        held = self.turn.held
        if self._holds_calls:
            if not (held and extended(*held[-1], name, data)):
                held.append((name, data))
        else:
            self._voice.say(name, data)


def _shell(call: Calling, type: ItemType) -> dict[str, Any]:
    """A call that has just begun, as it is told."""
    match type:
        case ItemType.CODE_INTERPRETER_CALL:
            code = {"input": "", "outputs": []}
            return {"type": "code_interpreter", "code_interpreter": code}
        case ItemType.FILE_SEARCH_CALL:
            return {"type": "file_search", "file_search": {}}
    function = {"name": call.name, "arguments": "", "output": None}
    return {"type": "function", "function": function}


def step_delta(step_id: str, call: dict[str, Any]) -> dict[str, Any]:
    """The wire's form of a change to one call of a step."""
    details = {"type": "tool_calls", "tool_calls": [call]}
    return {
        "id": step_id,
        "object": "thread.run.step.delta",
        "delta": {"step_details": details},
    }
