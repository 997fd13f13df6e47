"""Raw chunks of chat completions → deltas, whatever an upstream makes of the format.

Seen in the wild and put right here: `content` null or a list of parts; tool calls without
an index, all with index 0, without an id or with the same one; names or arguments in odd
pieces, arguments as an object; `stop` where calls were made; no usage, no reason to end.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.gateway.clean import TextCleaner, clean
from runtime.gateway.deltas import (
    Delta,
    Finished,
    FinishReason,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from runtime.gateway.failures import ModelFailed
from runtime.gateway.tokens import estimate_tokens, prompt_tokens
from runtime.ids import new_id

_REASONS: Mapping[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}


@dataclass(slots=True)
class _Call:
    """One tool call as it arrives; announced once its name is complete."""

    index: int
    key: object  # the upstream's own index, if it gave one
    upstream_id: str | None
    id: str
    name: str = ""
    announced: bool = False
    cleaner: TextCleaner = field(default_factory=TextCleaner)

    def add(self, name: str, arguments: str) -> Iterator[ToolCallDelta]:
        if not self.announced and name and name != self.name:
            self.name += name
        text = self.cleaner.feed(arguments)
        if not text:
            return
        if self.announced:
            yield ToolCallDelta(self.index, None, None, text)
        else:
            yield self._announce(text)

    def end(self) -> Iterator[ToolCallDelta]:
        rest = self.cleaner.flush()
        if not self.announced:
            yield self._announce(rest)
        elif rest:
            yield ToolCallDelta(self.index, None, None, rest)

    def announce(self) -> Iterator[ToolCallDelta]:
        """Tell that this call was made, if that was not told."""
        if not self.announced:
            yield self._announce("")

    def _announce(self, arguments: str) -> ToolCallDelta:
        if not self.name:
            raise ModelFailed("The model called a tool without naming it.")
        self.announced = True
        return ToolCallDelta(self.index, self.id, clean(self.name), arguments)


class Assembler:
    """Reads one answer's chunks. Feed them in order, then `end`."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._text = TextCleaner()
        self._refusal = TextCleaner()
        self._calls: list[_Call] = []
        self._reason: str | None = None
        self._usage: Mapping[str, Any] | None = None
        self._characters = 0

    def feed(self, chunk: Mapping[str, Any]) -> Iterator[Delta]:
        """The deltas in one chunk; often none.

        Raises:
            ModelFailed: a tool call has arguments and no name.
        """
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._usage = usage  # some send it with every chunk; the last one counts
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                yield from self._feed_choice(choice)

    def _feed_choice(self, choice: Mapping[str, Any]) -> Iterator[Delta]:
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            if text := self._text.feed(_text_of(delta.get("content"))):
                self._characters += len(text)
                yield TextDelta(text)
            if text := self._refusal.feed(_text_of(delta.get("refusal"))):
                self._characters += len(text)
                yield RefusalDelta(text)
            calls = delta.get("tool_calls")
            for piece in calls if isinstance(calls, list) else ():
                if isinstance(piece, dict):
                    yield from self._feed_call(piece)
        if isinstance(choice.get("finish_reason"), str):
            self._reason = choice["finish_reason"]

    def _feed_call(self, piece: Mapping[str, Any]) -> Iterator[Delta]:
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        name, arguments = _text_of(function.get("name")), function.get("arguments")
        if arguments is None:
            arguments = ""
        elif not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        upstream_id = piece.get("id")
        upstream_id = upstream_id if isinstance(upstream_id, str) else None
        call = self._call(piece.get("index"), upstream_id or None, name)
        self._characters += len(name) + len(arguments)
        if arguments:
            # Functions without parameters may never get any: those come before it.
            for earlier in self._calls[: call.index]:
                yield from earlier.announce()
        yield from call.add(name, arguments)

    def _call(self, key: object, upstream_id: str | None, name: str) -> _Call:
        """The call a piece belongs to: an earlier one, or the one it begins."""
        for call in reversed(self._calls):
            if key is not None and call.key != key:
                continue
            if upstream_id and call.upstream_id and call.upstream_id != upstream_id:
                continue
            begins_anew = key is None and name and call.announced
            if begins_anew and upstream_id in (None, ""):
                break
            return call
        used = {call.id for call in self._calls}
        id = upstream_id if upstream_id and upstream_id not in used else new_id("call")
        call = _Call(len(self._calls), key, upstream_id, clean(id))
        self._calls.append(call)
        return call

    def end(self) -> Iterator[Delta]:
        """The last deltas: what was held back, the usage, and the reason it ended.

        Raises:
            ModelFailed: a tool call has no name.
        """
        if text := self._text.flush():
            yield TextDelta(text)
        if text := self._refusal.flush():
            yield RefusalDelta(text)
        for call in self._calls:
            yield from call.end()
        yield self._counted()
        yield Finished(self._why())

    def _why(self) -> FinishReason:
        by_calls: FinishReason = "tool_calls" if self._calls else "stop"
        return _REASONS.get(self._reason or "", by_calls)

    def _counted(self) -> Usage:
        told = self._usage
        if told is None or not _count(told, "prompt_tokens", "completion_tokens"):
            return Usage(
                prompt_tokens(self._body),
                0,
                estimate_tokens(self._characters),
                0,
                estimated=True,
            )
        return Usage(
            _count(told, "prompt_tokens"),
            _count(told.get("prompt_tokens_details"), "cached_tokens"),
            _count(told, "completion_tokens"),
            _count(told.get("completion_tokens_details"), "reasoning_tokens"),
        )


def _count(numbers: object, *names: str) -> int:
    """The sum of some non-negative whole numbers; what is no such number counts 0."""
    if not isinstance(numbers, dict):
        return 0
    values = (numbers.get(name) for name in names)
    return sum(
        int(value)
        for value in values
        if isinstance(value, int | float) and 0 <= value < 2**53
    )


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return ""
