"""Chunks of a streamed answer as an odd upstream may send them."""

from typing import Any

TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {}}}]


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """One chunk with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"choices": [choice]}


def call_piece(**piece: Any) -> dict[str, Any]:
    """A chunk with a piece of one tool call."""
    return chunk(tool_calls=[piece])
