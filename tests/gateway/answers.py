"""Reading answers in tests."""

from collections.abc import Sequence
from typing import Any

from runtime.gateway import (
    ChatRequest,
    Delta,
    Finished,
    Gateway,
    TextDelta,
    ToolCallDelta,
    Usage,
    stream_chat,
)

HELLO = [{"role": "user", "content": "Hello"}]


async def ask(gateway: Gateway, model: str, **request: Any) -> list[Delta]:
    """All deltas of one answer."""
    request.setdefault("messages", HELLO)
    wanted = ChatRequest(model, **request)
    return [delta async for delta in stream_chat(gateway, wanted)]


def text(deltas: Sequence[Delta]) -> str:
    """The answer's text."""
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def calls(deltas: Sequence[Delta]) -> list[tuple[str, str, str]]:
    """Each call's id, name and arguments; checks that only first pieces name them."""
    made: list[list[str]] = []
    for delta in deltas:
        if not isinstance(delta, ToolCallDelta):
            continue
        if delta.index == len(made):
            assert delta.id and delta.name
            made.append([delta.id, delta.name, delta.arguments])
        else:
            assert delta.id is None and delta.name is None
            made[delta.index][2] += delta.arguments
    ids = [id for id, _, _ in made]
    assert len(set(ids)) == len(ids)
    return [(id, name, arguments) for id, name, arguments in made]


def usage(deltas: Sequence[Delta]) -> Usage:
    """The one usage, which stands just before the end."""
    (told,) = [delta for delta in deltas if isinstance(delta, Usage)]
    assert deltas[-2] is told
    return told


def reason(deltas: Sequence[Delta]) -> str:
    """Why the answer ended; nothing comes after that."""
    last = deltas[-1]
    assert isinstance(last, Finished)
    return last.reason
