"""What a model is asked: instructions, the thread's history, this run's own turns."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select

from runtime.db.transaction import Session
from runtime.engine.sources import tool_text
from runtime.files.models import File
from runtime.files.storage import BytesMissing, Storage
from runtime.gateway import ChatRequest
from runtime.projects.models import Project
from runtime.runs.models import Run
from runtime.threads.models import Item, ItemStatus, ItemType

log = structlog.get_logger()

Json = dict[str, Any]

# Tokens are counted by the upstream; before it has, a quarter of the characters.
_CHARACTERS_PER_TOKEN = 4
_IMAGE_TOKENS = 1_000
# Of calls of former runs: enough to know what was done, not all that came of it.
_OLD_OUTPUT_CHARACTERS = 4_000
_LARGEST_IMAGE_BYTES = 20 * 1024 * 1024
_NOT_ANSWERED = "This call was not answered."

_CODE_TOOL: Json = {
    "type": "function",
    "function": {
        "name": "code_interpreter",
        "description": (
            "Run Python in a sandbox without network. State is kept between calls. "
            "Files are in /mnt/data; what you write there can be offered to the user "
            "as a link to sandbox:/mnt/data/NAME. Figures are shown to the user."
        ),
        "parameters": {
            "type": "object",
            "properties": {"code": {"type": "string"}},
            "required": ["code"],
        },
    },
}
_SEARCH_TOOL: Json = {
    "type": "function",
    "function": {
        "name": "file_search",
        "description": (
            "Search the user's files. Each passage found stands under a marker such as "
            "【0:1†name】; repeat the marker right behind each statement that rests on "
            "the passage."
        ),
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string"}},
            "required": ["query"],
        },
    },
}


class PromptTooLong(Exception):
    """Not even the last message fits into the run's budget of prompt tokens."""


@dataclass(frozen=True, slots=True)
class History:
    """What a prompt is made of, read in one transaction."""

    items: Sequence[Item]
    code_files: Sequence[str]
    images: dict[str, File]


async def read_history(
    session: Session, project: Project, run: Run, code_files: Sequence[str]
) -> History:
    """Read the thread as this run sees it: finished items, in order."""
    query = select(Item).where(
        Item.project_id == project.id,
        Item.thread_pk == run.thread_pk,
        Item.seq.is_not(None),
        Item.deleted_at.is_(None),
    )
    items = [
        item
        for item in await session.scalars(query.order_by(Item.seq))
        # An abandoned or cut message was said, and is not what the model meant to say.
        if item.type is not ItemType.MESSAGE or item.status is ItemStatus.COMPLETED
    ]
    image_ids = {
        part["file_id"]
        for item in items
        for part in item.body.get("content", ())
        if item.role == "user" and "file_id" in part
    }
    files = await session.scalars(
        select(File).where(
            File.project_id == project.id,
            File.id.in_(image_ids),
            File.deleted_at.is_(None),
        )
    )
    return History(items, code_files, {file.id: file for file in files})


async def build_request(run: Run, history: History, storage: Storage) -> ChatRequest:
    """The request of the run's next turn.

    Raises:
        PromptTooLong: the budget of prompt tokens is spent.
    """
    asked = run.request
    system = _instructions(run, history.code_files)
    earlier, current = _rounds(run, history.items)
    rendered = [[await _render(run, history, storage, i) for i in r] for r in earlier]
    own = _merge_calls([await _render(run, history, storage, i) for i in current])
    kept = _truncated(asked, rendered, [*system, *own], run.input_tokens)
    messages = [*system, *(m for r in kept for m in _merge_calls(r)), *own]
    budget = asked.get("max_completion_tokens")
    response_format = asked.get("response_format")
    return ChatRequest(
        model=run.model,
        messages=messages,
        tools=[_tool(tool) for tool in run.tools],
        # Forced in the first turn only: released afterwards, or the run would loop.
        tool_choice=_tool_choice(asked.get("tool_choice")) if run.turn == 0 else "auto",
        parallel_tool_calls=asked.get("parallel_tool_calls"),
        temperature=asked.get("temperature"),
        top_p=asked.get("top_p"),
        max_completion_tokens=None if budget is None else budget - run.output_tokens,
        response_format=response_format if isinstance(response_format, dict) else None,
        reasoning_effort=asked.get("reasoning_effort"),
    )


def _instructions(run: Run, code_files: Sequence[str]) -> list[Json]:
    parts = [run.instructions] if run.instructions else []
    if code_files and any(tool["type"] == "code_interpreter" for tool in run.tools):
        parts.append("Files in /mnt/data: " + ", ".join(sorted(code_files)))
    return [{"role": "system", "content": "\n\n".join(parts)}] if parts else []


def _rounds(run: Run, items: Sequence[Item]) -> tuple[list[list[Item]], list[Item]]:
    """Earlier messages, each with the calls that led to it; and this run's own items."""
    earlier: list[list[Item]] = []
    pending: list[Item] = []
    current: list[Item] = []
    for item in items:
        if item.run_pk == run.pk:
            current.append(item)
        elif item.type is ItemType.MESSAGE:
            earlier.append([*pending, item])
            pending = []
        # What a former search found belongs to the answer that cited it.
        elif item.type is not ItemType.FILE_SEARCH_CALL:
            pending.append(item)
    return earlier, current


async def _render(run: Run, history: History, storage: Storage, item: Item) -> Json:
    if item.type is ItemType.MESSAGE:
        content = item.body.get("content", [])
        return {
            "role": item.role,
            "content": await _content(history, storage, content, item.role or "user"),
        }
    text = tool_text(item) if item.output is not None else _NOT_ANSWERED
    if item.run_pk != run.pk:
        text = text[:_OLD_OUTPUT_CHARACTERS]
    # A pair for now; `_merge_calls` lays the calls of one turn side by side.
    return {
        "call": {
            "id": item.call_id,
            "type": "function",
            "function": {"name": item.name, "arguments": item.body["arguments"]},
        },
        "turn": (item.run_pk, item.turn),
        "output": {"role": "tool", "tool_call_id": item.call_id, "content": text},
    }


def _merge_calls(rendered: list[Json]) -> list[Json]:
    """Each assistant message with all calls of its turn, then their outputs."""
    messages: list[Json] = []
    group: list[Json] = []

    def close() -> None:
        if not group:
            return
        calls = [entry["call"] for entry in group]
        if messages and messages[-1]["role"] == "assistant" and group_continues:
            messages[-1]["tool_calls"] = calls
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        messages.extend(entry["output"] for entry in group)
        group.clear()

    group_continues = False
    for entry in rendered:
        if "call" not in entry:
            close()
            messages.append(entry)
            group_continues = entry["role"] == "assistant"
            continue
        if group and group[-1]["turn"] != entry["turn"]:
            close()
            group_continues = False
        group.append(entry)
    close()
    return messages


async def _content(
    history: History, storage: Storage, parts: list[Json], role: str
) -> str | list[Json]:
    texts = [part["text"] for part in parts if part["type"] in ("text", "refusal")]
    images = [part for part in parts if part["type"] == "image"]
    if role == "assistant" or not images:
        return "\n\n".join(texts)
    content: list[Json] = [{"type": "text", "text": text} for text in texts]
    for part in images:
        url = part.get("url") or await _data_url(history, storage, part["file_id"])
        if url is None:
            content.append({"type": "text", "text": "[a picture that was deleted]"})
            continue
        image = {"url": url}
        if part.get("detail"):
            image["detail"] = part["detail"]
        content.append({"type": "image_url", "image_url": image})
    return content


async def _data_url(history: History, storage: Storage, file_id: str) -> str | None:
    # Upstreams cannot fetch from us, so a file travels within the request.
    file = history.images.get(file_id)
    if file is None or file.size_bytes > _LARGEST_IMAGE_BYTES:
        return None
    try:
        data = await storage.read(file.storage_key)
    except BytesMissing:
        log.warning("bytes of a picture are missing", file_id=file_id)
        return None
    return f"data:{file.media_type};base64,{base64.b64encode(data).decode()}"


def _truncated(
    asked: Json, rounds: list[list[Json]], fixed: list[Json], spent_tokens: int
) -> list[list[Json]]:
    """The rounds that stay: the last few if asked, and as many as the budget holds."""
    strategy = asked.get("truncation_strategy") or {}
    if strategy.get("type") == "last_messages":
        rounds = rounds[-strategy["last_messages"] :]
    budget = asked.get("max_prompt_tokens")
    if budget is None:
        return rounds
    left = budget - spent_tokens - sum(map(_tokens, fixed))
    kept: list[list[Json]] = []
    for round in reversed(rounds):
        left -= sum(map(_tokens, round))
        if left < 0:
            break
        kept.append(round)
    if left < 0 and not kept:
        raise PromptTooLong
    return kept[::-1]


def _tokens(entry: Json) -> int:
    if "call" in entry:
        text = str(entry["call"]["function"]) + entry["output"]["content"]
        return len(text) // _CHARACTERS_PER_TOKEN
    content = entry["content"]
    if isinstance(content, list):
        return sum(
            len(part["text"]) // _CHARACTERS_PER_TOKEN
            if part["type"] == "text"
            else _IMAGE_TOKENS
            for part in content
        )
    return len(content or "") // _CHARACTERS_PER_TOKEN


def _tool(tool: Json) -> Json:
    if tool["type"] == "code_interpreter":
        return _CODE_TOOL
    if tool["type"] == "file_search":
        return _SEARCH_TOOL
    return {"type": "function", "function": tool["function"]}


def _tool_choice(choice: str | Json | None) -> str | Json | None:
    if not isinstance(choice, dict):
        return choice
    name = (
        choice["function"]["name"] if choice["type"] == "function" else choice["type"]
    )
    return {"type": "function", "function": {"name": name}}
