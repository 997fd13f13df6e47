"""What a model is asked: instructions, the thread's history, this run's own turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select

from runtime.db.transaction import Session
from runtime.engine.transcript import Transcript
from runtime.files.models import File
from runtime.files.storage import Storage
from runtime.gateway import ChatRequest
from runtime.projects.models import Project
from runtime.runs.models import Run
from runtime.threads.models import Item, ItemStatus, ItemType

Json = dict[str, Any]

# Tokens are counted by the upstream; before it has, a quarter of the characters.
_CHARACTERS_PER_TOKEN = 4
_IMAGE_TOKENS = 1_000

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


class BudgetSpent(Exception):
    """The run may not take another turn; `which` of its budgets does not allow it."""

    def __init__(self, which: Literal["max_prompt_tokens", "max_completion_tokens"]):
        super().__init__(which)
        self.which = which


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
        BudgetSpent: not even the last message fits, or all that may be said is said.
    """
    asked = run.request
    may_say = asked.get("max_completion_tokens")
    if may_say is not None:
        may_say -= run.output_tokens
        if may_say <= 0:
            raise BudgetSpent("max_completion_tokens")
    transcript = Transcript(run, history.images, storage)
    system = _instructions(run, history.code_files)
    earlier, current = _rounds(run, history.items)
    own = await transcript.lay_out(current)
    rounds = [await transcript.lay_out(round) for round in earlier]
    kept = _truncated(asked, rounds, [*system, *own], run.input_tokens)
    messages = [*system, *(message for round in kept for message in round), *own]
    response_format = asked.get("response_format")
    return ChatRequest(
        model=run.model,
        messages=messages,
        tools=[_tool(tool) for tool in run.tools],
        tool_choice=_tool_choice(asked.get("tool_choice"), run.turn),
        parallel_tool_calls=asked.get("parallel_tool_calls"),
        temperature=asked.get("temperature"),
        top_p=asked.get("top_p"),
        max_completion_tokens=may_say,
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
        raise BudgetSpent("max_prompt_tokens")
    return kept[::-1]


def _tokens(message: Json) -> int:
    """About how many tokens a message is; the upstream counts when it has read it."""
    content = message["content"] or ""
    characters = len(str(message.get("tool_calls", "")))
    if isinstance(content, str):
        return (len(content) + characters) // _CHARACTERS_PER_TOKEN
    images: int = sum(part["type"] == "image_url" for part in content)
    characters += sum(len(part.get("text", "")) for part in content)
    return characters // _CHARACTERS_PER_TOKEN + images * _IMAGE_TOKENS


def _tool(tool: Json) -> Json:
    if tool["type"] == "code_interpreter":
        return _CODE_TOOL
    if tool["type"] == "file_search":
        return _SEARCH_TOOL
    return {"type": "function", "function": tool["function"]}


def _tool_choice(choice: str | Json | None, turn: int) -> str | Json | None:
    if turn > 0 and choice != "none":
        # Forced in the first turn only: released afterwards, or the run would loop.
        return "auto"
    if not isinstance(choice, dict):
        return choice
    name = (
        choice["function"]["name"] if choice["type"] == "function" else choice["type"]
    )
    return {"type": "function", "function": {"name": name}}
