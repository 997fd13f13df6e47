"""One model answer: what it says and calls, and the rows that come of it.

The rows are made here and stored by `rows.py`: a follower hears of them before.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runtime.engine.citations import CitedText
from runtime.engine.code_input import CodeInput
from runtime.gateway import Usage
from runtime.gateway.clean import clean
from runtime.runs.models import Run, RunStep, StepStatus, StepType
from runtime.threads.models import Item, ItemStatus, ItemType

CALL_TYPES = {
    "code_interpreter": ItemType.CODE_INTERPRETER_CALL,
    "file_search": ItemType.FILE_SEARCH_CALL,
}


def derived_id(prefix: str, run: Run, attempt: int, *parts: object) -> str:
    """An id that the same attempt always finds again: it may be told before it is stored."""
    words = "/".join(str(part) for part in (run.id, attempt, *parts))
    return f"{prefix}_{hashlib.sha256(words.encode()).hexdigest()[:24]}"


@dataclass(slots=True)
class Saying:
    """A message while it is spoken."""

    message_id: str
    step_id: str
    step_idx: int
    began_at: datetime
    cited: CitedText
    images: Sequence[str] = ()
    refusal: str = ""
    # Not so behind calls: their step is open then, and clients refuse two at once.
    shows_step: bool = True

    def content(self) -> list[dict[str, Any]]:
        """Its parts so far, as they lie in `items.body`."""
        parts: list[dict[str, Any]] = [
            {"type": "image", "file_id": file_id} for file_id in self.images
        ]
        if text := self.cited.text:
            annotations = self.cited.annotations
            parts.append({"type": "text", "text": text, "annotations": annotations})
        if self.refusal:
            parts.append({"type": "refusal", "text": self.refusal})
        return parts


@dataclass(slots=True)
class Calling:
    """A tool call while it is spoken."""

    call_id: str
    upstream_call_id: str
    name: str
    arguments: str = ""
    # What followers were told of it, where it is a call of code_interpreter.
    code: CodeInput = field(default_factory=CodeInput)


@dataclass(slots=True)
class Turn:
    """What a model answered."""

    number: int
    saying: Saying | None = None
    calls: list[Calling] = field(default_factory=list)
    message_step_id: str = ""
    calls_step_id: str = ""
    calls_began_at: datetime | None = None
    # Events of the calls, by name, that are told once the message before them is whole.
    held: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    usage: Usage = field(default_factory=lambda: Usage(0, 0, 0, 0))
    finish: str = "stop"

    @property
    def is_begun(self) -> bool:
        """Whether anything was said or called, and followers may have heard of it."""
        return self.saying is not None or bool(self.calls)


def call_type(run: Run, name: str) -> ItemType | None:
    """What a call of that name is on this run; None: the run has no such tool."""
    # First, as a caller's function may bear the name of a tool that the run lacks.
    if name in _functions_of(run):
        return ItemType.FUNCTION_CALL
    if any(tool["type"] == name for tool in run.tools):
        return CALL_TYPES.get(name)
    return None


def _functions_of(run: Run) -> frozenset[str]:
    """The names of the caller's functions."""
    return frozenset(
        tool["function"]["name"] for tool in run.tools if tool["type"] == "function"
    )


def call_body(call: Calling, type: ItemType) -> dict[str, Any]:
    """A call's body as it lies in its item: what was said, and what we read in it."""
    body: dict[str, Any] = {"arguments": call.arguments}
    if type is not ItemType.FUNCTION_CALL:
        try:
            asked = json.loads(call.arguments)
        except (ValueError, RecursionError):
            return body
        wanted = "code" if call.name == "code_interpreter" else "query"
        if isinstance(asked, dict) and isinstance(asked.get(wanted), str):
            # An escape within the arguments may stand for what cannot be stored.
            body[wanted] = clean(asked[wanted])
    return body


def message_step(run: Run, saying: Saying, number: int) -> RunStep:
    """The step that creates this message, as a row that is not stored yet."""
    return RunStep(
        project_id=run.project_id,
        id=saying.step_id,
        run_pk=run.pk,
        idx=saying.step_idx,
        turn=number,
        type=StepType.MESSAGE_CREATION,
        status=StepStatus.IN_PROGRESS,
        input_tokens=0,
        output_tokens=0,
        created_at=saying.began_at,
        metadata_={},
    )


def calls_step(run: Run, turn: Turn) -> RunStep:
    """The step that makes this turn's calls, as a row that is not stored yet."""
    return RunStep(
        project_id=run.project_id,
        id=turn.calls_step_id,
        run_pk=run.pk,
        idx=2 * turn.number + 1,
        turn=turn.number,
        type=StepType.TOOL_CALLS,
        status=StepStatus.IN_PROGRESS,
        input_tokens=0,
        output_tokens=0,
        created_at=turn.calls_began_at,
        metadata_={},
    )


def message_item(
    run: Run, saying: Saying, status: ItemStatus, at: datetime | None = None
) -> Item:
    """This message, as a row that is not stored yet."""
    return Item(
        project_id=run.project_id,
        id=saying.message_id,
        thread_pk=run.thread_pk,
        run_pk=run.pk,
        run_id=run.id,
        assistant_id=run.assistant_id,
        turn=saying.step_idx // 2,
        type=ItemType.MESSAGE,
        role="assistant",
        status=status,
        body={"content": saying.content(), "attachments": []},
        attempt=run.attempt,
        created_at=saying.began_at,
        completed_at=at,
        metadata_={},
    )
