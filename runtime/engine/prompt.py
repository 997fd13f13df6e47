"""What a model is asked: instructions, the thread's history, this run's own turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from runtime.db.transaction import Session
from runtime.engine.transcript import Transcript
from runtime.engine.truncation import BudgetSpent, Truncation
from runtime.files.models import File
from runtime.files.storage import Storage
from runtime.gateway import ChatRequest
from runtime.projects.models import Project
from runtime.runs.models import Run
from runtime.threads.models import Item, ItemStatus, ItemType

Json = dict[str, Any]

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


async def build_request(
    run: Run,
    history: History,
    storage: Storage,
    *,
    context_tokens: int | None = None,
    correction: Sequence[Json] = (),
) -> ChatRequest:
    """The request of the run's next turn.

    Args:
        run: with what its turns have spent so far.
        history: the thread.
        storage: where its pictures lie.
        context_tokens: what the model is believed to take, once it has refused more.
        correction: what is said to the model behind everything else.

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
    own = [*await transcript.lay_out(current), *correction]
    rounds = [await transcript.lay_out(round) for round in earlier]
    kept = _truncation(run, context_tokens).cut(rounds, [*system, *own])
    messages = [*system, *(message for round in kept for message in round), *own]
    response_format = asked.get("response_format")
    return ChatRequest(
        model=run.model,
        messages=messages,
        tools=_tools(run),
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


def may_be_cut(run: Run) -> bool:
    """Whether the thread may be cut down to what the model takes.

    Not where the caller has said how many messages are to be read.
    """
    strategy = run.request.get("truncation_strategy") or {}
    return bool(strategy.get("type", "auto") == "auto")


def _truncation(run: Run, context_tokens: int | None) -> Truncation:
    strategy = run.request.get("truncation_strategy") or {}
    asked_for_last = strategy.get("type") == "last_messages"
    budget = run.request.get("max_prompt_tokens")
    return Truncation(
        last_messages=strategy["last_messages"] if asked_for_last else None,
        budget_tokens=None if budget is None else budget - run.input_tokens,
        context_tokens=context_tokens,
    )


def _tools(run: Run) -> list[Json]:
    # Each once: a caller may list one twice, and upstreams refuse to hear it twice.
    told = [_tool(tool) for tool in run.tools]
    return [tool for at, tool in enumerate(told) if tool not in told[:at]]


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
