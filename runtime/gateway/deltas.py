"""The pieces of an answer, as the engine sees them."""

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text; never empty, NUL or half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """The next piece of the model's refusal to answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """The next piece of a tool call.

    The first delta of an `index` carries `id` and `name`, later ones carry neither.
    Indexes count 0, 1, 2… in the order the calls began; ids differ within an answer
    (a missing or repeated one was replaced), but may come again in the next.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of this answer; comes once, just before `Finished`.

    `estimated` says that the upstream told nothing and the numbers are a quarter of
    the characters.
    """

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole; nothing comes after this."""

    reason: FinishReason


Delta = TextDelta | RefusalDelta | ToolCallDelta | Usage | Finished
