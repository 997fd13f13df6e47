"""What a scripted model does when it is asked: one turn per call.

Turns are plain data, so that they can be sent to a stand-in in another process.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

Json = dict[str, Any]

BEFORE_HEADERS = -1


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Chunks of a chat completion, or the whole of one when it is not streamed.

    `drop_after` and `hang_after` count chunks, the greeting with the role included.
    """

    deltas: tuple[Json, ...] = ()
    finish_reason: str | None = "stop"
    usage: tuple[int, int] | None = (10, 5)
    delay_seconds: float = 0
    chunk_delay_seconds: float = 0
    drop_after: int | None = None
    hang_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sends:
    """Bytes as they are, with a status and headers of one's choice."""

    body: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/event-stream"),)


@dataclass(frozen=True, kw_only=True)
class Embeds:
    """Vectors made of the words of each text: alike texts get alike vectors."""

    dimensions: int = 8
    shuffled: bool = False
    missing: int = 0


Turn = Answers | Sends | Embeds
AnyTurn = Turn | Callable[[Json], Turn]

_KINDS: dict[str, type[Turn]] = {
    "answers": Answers,
    "sends": Sends,
    "embeds": Embeds,
}


def says(
    text: str,
    *,
    pieces: int | None = None,
    delay_seconds: float = 0,
    chunk_delay_seconds: float = 0,
    finish_reason: str | None = "stop",
    usage: tuple[int, int] | None = (10, 5),
) -> Answers:
    """A text, word by word or in so many pieces."""
    size = 1 if pieces is None else max(1, -(-len(text) // pieces))
    words = text.split(" ")
    parts = (
        [text[at : at + size] for at in range(0, len(text), size)]
        if pieces is not None
        else [word if at == 0 else f" {word}" for at, word in enumerate(words)]
    )
    return Answers(
        deltas=tuple({"content": part} for part in parts),
        delay_seconds=delay_seconds,
        chunk_delay_seconds=chunk_delay_seconds,
        finish_reason=finish_reason,
        usage=usage,
    )


def calls(
    *wanted: tuple[str, Json],
    ids: Sequence[str] | None = None,
    text: str = "",
    pieces: int = 2,
    usage: tuple[int, int] | None = (10, 5),
    delay_seconds: float = 0,
) -> Answers:
    """Tool calls, their arguments in so many pieces."""
    deltas: list[Json] = [{"content": text}] if text else []
    for index, (name, arguments) in enumerate(wanted):
        written = json.dumps(arguments)
        size = max(1, -(-len(written) // pieces))
        head = {
            "index": index,
            "id": ids[index] if ids else f"call_{index}",
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }
        deltas.append({"tool_calls": [head]})
        for at in range(0, len(written), size):
            piece = {"arguments": written[at : at + size]}
            deltas.append({"tool_calls": [{"index": index, "function": piece}]})
    return Answers(
        deltas=tuple(deltas),
        finish_reason="tool_calls",
        usage=usage,
        delay_seconds=delay_seconds,
    )


def fails(
    status: int,
    *,
    retry_after: str | float | None = None,
    message: str = "scripted failure",
    code: str | None = None,
    param: str | None = None,
    body: str | None = None,
) -> Sends:
    """An HTTP error in OpenAI's envelope, or with a body of one's choice."""
    error = {"message": message, "type": "scripted", "param": param, "code": code}
    headers = [("Content-Type", "application/json")]
    if retry_after is not None:
        headers.append(("Retry-After", str(retry_after)))
    text = json.dumps({"error": error}) if body is None else body
    return Sends(body=text, status=status, headers=tuple(headers))


def garbage(kind: str = "text") -> Sends:
    """A 200 that is no answer: `text`, `html`, `empty`, `only_done`,
    `not_json` or `half`."""
    if kind == "html":
        page = "<html><body>Welcome to nginx!</body></html>"
        return Sends(body=page, headers=(("Content-Type", "text/html"),))
    bodies = {
        "text": "I am a teapot, short and stout.",
        "empty": "",
        "only_done": "data: [DONE]\n\n",
        "not_json": "data: {this is not json}\n\n",
        "half": 'data: {"choices": [{"index": 0, "delta": {"con',
    }
    return Sends(body=bodies[kind])


def hangs(*, after: int = BEFORE_HEADERS) -> Answers:
    """Says nothing more: from the start, or after so many chunks."""
    return replace(says("one two three four five six"), hang_after=after)


def drops_after(chunks: int, turn: Answers | None = None) -> Answers:
    """Breaks the connection after so many chunks."""
    return replace(turn or says("one two three four five six"), drop_after=chunks)


def streams(*events: Json | str, done: bool = True) -> Sends:
    """Chunks exactly as given, for formats that are odd; strings are sent as data."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    lines += ["[DONE]"] if done else []
    return Sends(body="".join(f"data: {line}\n\n" for line in lines))


def embeds(*, dimensions: int = 8, shuffled: bool = False, missing: int = 0) -> Embeds:
    """Vectors; out of order, or too few of them, where that is asked for."""
    return Embeds(dimensions=dimensions, shuffled=shuffled, missing=missing)


def turn_to_json(turn: Turn) -> Json:
    """A turn as the admin address takes it."""
    kind = next(name for name, cls in _KINDS.items() if isinstance(turn, cls))
    return {"kind": kind, **vars(turn)}


def turn_from_json(data: Json) -> Turn:
    """The reverse: JSON made lists of tuples."""
    fields = dict(data)
    make: Callable[..., Turn] = _KINDS[fields.pop("kind")]
    if "headers" in fields:
        fields["headers"] = [tuple(header) for header in fields["headers"]]
    frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return make(**frozen)
