"""Conversations with tools, to put to the built-in model."""

from typing import Any

Json = dict[str, Any]


def tool(name: str) -> Json:
    """A function by that name; the built-in tools are told by theirs."""
    return {"type": "function", "function": {"name": name, "parameters": {}}}


CODE, SEARCH, ADD, SUB = map(tool, ("code_interpreter", "file_search", "add", "sub"))


def user(content: object) -> Json:
    """A message of the user's."""
    return {"role": "user", "content": content}


def answered(message: str, *results: tuple[str, str]) -> list[Json]:
    """A conversation whose last turn called tools that have answered."""
    made = [
        {
            "id": f"c{at}",
            "type": "function",
            "function": {"name": name, "arguments": "{}"},
        }
        for at, (name, _) in enumerate(results)
    ]
    outputs = [
        {"role": "tool", "tool_call_id": f"c{at}", "content": content}
        for at, (_, content) in enumerate(results)
    ]
    called = {"role": "assistant", "content": None, "tool_calls": made}
    return [user(message), called, *outputs]
