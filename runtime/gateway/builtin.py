"""The built-in model: serves when no upstream is set, deterministic, generates nothing.

It reads the last user message. `/call name {json}` calls a function on offer, a fenced
```python block or a `/python …` line runs in code_interpreter, any other message is
searched for when file_search is on offer. After one round of tools it repeats what they
said, verbatim. Otherwise it says what it is; and so it does below each answer that was
asked of another model.

Chat completions in, chat completions out, so that everything behind the gateway is the
same as with a real model.
"""

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.gateway.conversation import Conversation, ToolResult
from runtime.gateway.filling import filled
from runtime.gateway.quotes import quote
from runtime.gateway.tokens import estimate_tokens, prompt_tokens
from runtime.gateway.upstreams import BUILTIN
from runtime.ids import new_id

Json = dict[str, Any]

CODE, SEARCH = "code_interpreter", "file_search"

# At most so many deltas: enough to be seen streaming, too few to be felt.
_MOST_PIECES = 40
_CHARACTERS_PER_TOKEN = 4

_SIGNATURE = "— answered by the built-in model; set OPENAI_BASE_URL for a real one"

_CALL = re.compile(r"^[ \t]*/call[ \t]+([A-Za-z0-9_-]{1,64})[ \t]*(.*)$", re.MULTILINE)
_CODE = re.compile(
    r"^[ \t]*```(?:python|py)[ \t]*\n(?P<block>.*?)^[ \t]*```"
    r"|^[ \t]*/python[ \t]+(?P<line>[^ \t\n][^\n]*)",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"^sandbox:/mnt/data/.+$")
_IMAGE = re.compile(r"^\[image \d+\]$")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool the built-in model wants called."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One turn of the built-in model: a text, or calls."""

    text: str = ""
    calls: tuple[Call, ...] = ()


def answer(body: Mapping[str, Any]) -> Answer:
    """What the built-in model answers to a chat completion request."""
    conversation = Conversation.of(body)
    calls = _calls(conversation)
    results = conversation.results
    if len(results) < (len(calls) if conversation.one_at_a_time else bool(calls)):
        remaining = calls[len(results) :]
        return Answer(calls=remaining[:1] if conversation.one_at_a_time else remaining)
    text = _told(conversation) if results else _nothing_to_do(conversation)
    if conversation.wants_json:
        schema = conversation.schema
        value = {"answer": text} if schema is None else filled(dict(schema), text)
        text = json.dumps(value, ensure_ascii=False)
    return Answer(text=text)


def _calls(conversation: Conversation) -> tuple[Call, ...]:
    """The calls this turn consists of, those already answered among them."""
    offered = conversation.offered
    if not offered or conversation.tool_choice == "none":
        return ()
    asked = _asked_for(conversation)
    choice = conversation.tool_choice
    if choice == "required":
        return asked or (_fallback_call(offered[0], conversation),)
    if choice != "auto":  # one function, by name
        named = tuple(call for call in asked if call.name == choice)
        return named[:1] or (_fallback_call(choice, conversation),)
    return asked


def _asked_for(conversation: Conversation) -> tuple[Call, ...]:
    offered, question = conversation.offered, conversation.question
    calls = [
        Call(name, arguments.strip() or "{}")
        for name, arguments in _CALL.findall(question)
        if name in offered and _is_object(arguments)
    ]
    code = _code_in(question)
    if code and CODE in offered:
        calls.append(_call_with(CODE, code=code))
    # Who writes a command wants no search, even if the command was wrong.
    is_command = bool(code or _CALL.search(question))
    if SEARCH in offered and question.strip() and not is_command:
        calls.append(_call_with(SEARCH, query=question.strip()))
    return tuple(calls)


def _fallback_call(name: str, conversation: Conversation) -> Call:
    """A call that was demanded although nothing in the message asks for it."""
    if name == SEARCH:
        return _call_with(SEARCH, query=conversation.question.strip())
    if name == CODE:
        return _call_with(CODE, code=_code_in(conversation.question) or "pass")
    return Call(name, "{}")


def _call_with(name: str, **arguments: str) -> Call:
    return Call(name, json.dumps(arguments, ensure_ascii=False))


def _code_in(text: str) -> str:
    cells = (match["block"] or match["line"] for match in _CODE.finditer(text))
    return "\n".join(cell.rstrip() for cell in cells if cell)


def _is_object(text: str) -> bool:
    try:
        return not text.strip() or isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _told(conversation: Conversation) -> str:
    """What the tools said; who asked for another model learns who repeats it."""
    said = [_report(result, conversation.question) for result in conversation.results]
    if conversation.model != BUILTIN:
        said.append(_SIGNATURE)
    return "\n\n".join(said)


def _report(result: ToolResult, question: str) -> str:
    if result.name == SEARCH:
        return quote(question, result.content)
    if result.name == CODE:
        return _report_code(result.content)
    return f"{result.name} returned: {result.content}"


def _report_code(content: str) -> str:
    lines = content.splitlines()
    links = [line for line in lines if _LINK.match(line)]
    images = [line for line in lines if _IMAGE.match(line)]
    logs = "\n".join(
        line for line in lines if not _LINK.match(line) and not _IMAGE.match(line)
    ).strip("\n")
    parts = [f"The code printed:\n\n{logs}" if logs else "The code printed nothing."]
    if images:
        pictures = "1 picture" if len(images) == 1 else f"{len(images)} pictures"
        parts.append(f"It drew {pictures}.")
    if links:
        parts.append("It wrote:\n" + "\n".join(links))
    return "\n\n".join(parts)


def _nothing_to_do(conversation: Conversation) -> str:
    problem = _problem(conversation)
    who = (
        "I am the built-in model of this runtime: I do not generate text. I can search "
        "files and quote them, run a ```python block or a `/python` line, and call a "
        "function on `/call name {json}`, where the assistant offers these tools. For a "
        "real model, set OPENAI_BASE_URL (and OPENAI_API_KEY) and start again."
    )
    if conversation.model != BUILTIN:
        who += f" '{conversation.model}' was asked for, but it is not set up here."
    return f"{problem}\n\n{who}" if problem else who


def _problem(conversation: Conversation) -> str:
    question = conversation.question
    for name, arguments in _CALL.findall(question):
        if name not in conversation.offered:
            return f"No function named {name} is on offer."
        if not _is_object(arguments):
            return f"What follows /call {name} is no JSON object: {arguments}"
    if _code_in(question) and CODE not in conversation.offered:
        return "The message holds code, but code_interpreter is not on offer."
    return ""


def completion(body: Mapping[str, Any]) -> Json:
    """The answer as a `chat.completion` object. Its `model` says who answered."""
    text, calls, reason, usage = _measured(body)
    message: Json = {"role": "assistant", "content": text or None, "refusal": None}
    if calls:
        message["tool_calls"] = [_tool_call(call) for call in calls]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": reason,
    }
    return {**_head("chat.completion"), "choices": [choice], "usage": usage}


def chunks(body: Mapping[str, Any]) -> Iterator[Json]:
    """The answer as `chat.completion.chunk` objects, in several small pieces.

    Usage comes last and only if `stream_options.include_usage` asks for it.
    """
    head = _head("chat.completion.chunk")
    text, calls, reason, usage = _measured(body)

    def chunk(delta: Json, finish_reason: str | None = None) -> Json:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        return {**head, "choices": [choice]}

    yield chunk({"role": "assistant", "content": "" if text else None})
    for piece in _pieces(text):
        yield chunk({"content": piece})
    for index, call in enumerate(calls):
        yield chunk({"tool_calls": [{"index": index, **_tool_call(call)}]})
    yield chunk({}, reason)
    options = body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield {**head, "choices": [], "usage": usage}


def _measured(body: Mapping[str, Any]) -> tuple[str, tuple[Call, ...], str, Json]:
    """Text, calls, reason to end and usage, within the caller's token limit."""
    said = answer(body)
    text, reason = said.text, "tool_calls" if said.calls else "stop"
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and estimate_tokens(len(text)) > limit:
        text, reason = text[: limit * _CHARACTERS_PER_TOKEN], "length"
    written = len(text) + sum(len(call.name + call.arguments) for call in said.calls)
    before, after = prompt_tokens(body), estimate_tokens(written)
    usage = {
        "prompt_tokens": before,
        "completion_tokens": after,
        "total_tokens": before + after,
    }
    return text, said.calls, reason, usage


def _head(object: str) -> Json:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": object,
        "created": int(time.time()),
        "model": BUILTIN,
    }


def _tool_call(call: Call) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": new_id("call"), "type": "function", "function": function}


def _pieces(text: str) -> Iterator[str]:
    words = re.findall(r"\s+|\S+\s*", text)
    size = max(3, -(-len(words) // _MOST_PIECES))
    for start in range(0, len(words), size):
        yield "".join(words[start : start + size])
