"""A chat completion request as the built-in model reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool said since the last user message."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The part of a request that decides the built-in model's answer.

    Attributes:
        question: the text of the last user message.
        results: what tools said since then, in order.
        offered: names of the tools on offer, in order.
        tool_choice: `auto`, `none`, `required`, or the name of a tool on offer.
        one_at_a_time: whether parallel calls were declined.
        wants_json: whether the answer has to be a JSON object.
        schema: what that has to look like, where it was said.
    """

    model: str
    question: str
    results: tuple[ToolResult, ...]
    offered: tuple[str, ...]
    tool_choice: str
    one_at_a_time: bool
    wants_json: bool
    schema: Json | None

    @classmethod
    def of(cls, body: Json) -> "Conversation":
        """Read a request; what is missing or malformed counts as not said."""
        messages = [m for m in body.get("messages") or () if isinstance(m, dict)]
        asked_at = max(
            (at for at, m in enumerate(messages) if m.get("role") == "user"),
            default=-1,
        )
        offered = tuple(_tool_names(body.get("tools")))
        response_format = body.get("response_format")
        return cls(
            model=str(body.get("model")),
            question=text_of(messages[asked_at].get("content")) if messages else "",
            results=tuple(_results(messages[asked_at + 1 :])),
            offered=offered,
            tool_choice=_tool_choice(body.get("tool_choice"), offered),
            one_at_a_time=body.get("parallel_tool_calls") is False,
            wants_json=isinstance(response_format, dict)
            and response_format.get("type") in ("json_object", "json_schema"),
            schema=_schema(response_format),
        )


def text_of(content: object) -> str:
    """The text of a message's content, which may be a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def _schema(response_format: object) -> Json | None:
    asked = (
        response_format.get("json_schema")
        if isinstance(response_format, dict)
        else None
    )
    schema = asked.get("schema") if isinstance(asked, dict) else None
    return schema if isinstance(schema, dict) else None


def _tool_names(tools: object) -> list[str]:
    names = []
    for tool in tools if isinstance(tools, list) else ():
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            names.append(function["name"])
    return names


def _tool_choice(choice: object, offered: Sequence[str]) -> str:
    if isinstance(choice, dict):
        function = choice.get("function")
        choice = function.get("name") if isinstance(function, dict) else None
        return choice if isinstance(choice, str) and choice in offered else "auto"
    return choice if choice in ("none", "required") else "auto"


def _results(messages: Sequence[Json]) -> list[ToolResult]:
    names: dict[object, str] = {}
    results = []
    for message in messages:
        for call in message.get("tool_calls") or ():
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                names[call.get("id")] = str(function.get("name"))
        if message.get("role") == "tool":
            name = names.get(message.get("tool_call_id"), "The tool")
            results.append(ToolResult(name, text_of(message.get("content"))))
    return results
