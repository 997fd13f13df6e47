"""Rows → wire: runs and their steps."""

from collections.abc import Sequence
from typing import Any

from runtime.assistants.render import render_sampling
from runtime.clock import unix
from runtime.runs.lifecycle import ENDED
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus, StepType
from runtime.threads.models import Item, ItemType
from runtime.wire.runs import RunObject
from runtime.wire.steps import RunStepObject


def render_run(run: Run, open_calls: Sequence[Item] = ()) -> RunObject:
    """A run as the API shows it.

    Args:
        run: the row.
        open_calls: the function calls it waits for; needed in `requires_action`.
    """
    request = run.request
    ended_at = unix(run.ended_at)

    def if_ended(status: RunStatus) -> int | None:
        return ended_at if run.status is status else None

    return RunObject.model_validate(
        {
            "id": run.id,
            "created_at": unix(run.created_at),
            "thread_id": run.thread_id or "",
            "assistant_id": run.assistant_id or "",
            "status": run.status.value,
            "required_action": _required_action(run, open_calls),
            "last_error": _error(run.error_code, run.error_message),
            "expires_at": None if run.status in ENDED else unix(run.expires_at),
            "started_at": unix(run.started_at),
            "cancelled_at": if_ended(RunStatus.CANCELLED),
            "failed_at": if_ended(RunStatus.FAILED),
            "completed_at": if_ended(RunStatus.COMPLETED),
            "incomplete_details": {"reason": run.incomplete_reason}
            if run.incomplete_reason
            else None,
            "model": run.model,
            "instructions": run.instructions,
            "tools": run.tools,
            "metadata": run.metadata_,
            "usage": _usage(run) if run.status in ENDED else None,
            "max_prompt_tokens": request.get("max_prompt_tokens"),
            "max_completion_tokens": request.get("max_completion_tokens"),
            "truncation_strategy": request.get("truncation_strategy")
            or {"type": "auto", "last_messages": None},
            "tool_choice": request.get("tool_choice") or "auto",
            "parallel_tool_calls": request.get("parallel_tool_calls", True),
            "response_format": request.get("response_format") or "auto",
            **render_sampling(request.get("temperature"), request.get("top_p")),
        }
    )


def render_step(
    run: Run, step: RunStep, items: Sequence[Item], *, with_content: bool = False
) -> RunStepObject:
    """A step as the API shows it.

    Args:
        run: whose step it is.
        step: the row.
        items: the message it created, or the calls it made, in order.
        with_content: show what a file search found, not only where.
    """
    ended_at = unix(step.ended_at)

    def if_ended(status: StepStatus) -> int | None:
        return ended_at if step.status is status else None

    return RunStepObject.model_validate(
        {
            "id": step.id,
            "created_at": unix(step.created_at),
            "assistant_id": run.assistant_id or "",
            "thread_id": run.thread_id or "",
            "run_id": run.id,
            "type": step.type.value,
            "status": step.status.value,
            "step_details": _details(step, items, with_content),
            "last_error": _error(step.error_code, step.error_message),
            "expired_at": if_ended(StepStatus.EXPIRED),
            "cancelled_at": if_ended(StepStatus.CANCELLED),
            "failed_at": if_ended(StepStatus.FAILED),
            "completed_at": if_ended(StepStatus.COMPLETED),
            "metadata": step.metadata_,
            "usage": _usage(step)
            if step.status is not StepStatus.IN_PROGRESS
            else None,
        }
    )


def render_call(item: Item, *, with_content: bool = False) -> dict[str, Any]:
    """A call item as the tool call of a step."""
    output = item.output or {}
    if item.type is ItemType.FUNCTION_CALL:
        function = {
            "name": item.name,
            "arguments": item.body["arguments"],
            "output": output.get("text"),
        }
        return {"id": item.call_id, "type": "function", "function": function}
    if item.type is ItemType.CODE_INTERPRETER_CALL:
        code = {
            "input": item.body.get("code", ""),
            "outputs": output.get("outputs", []),
        }
        return {
            "id": item.call_id,
            "type": "code_interpreter",
            "code_interpreter": code,
        }
    return {
        "id": item.call_id,
        "type": "file_search",
        "file_search": _search(item, with_content),
    }


def _search(item: Item, with_content: bool) -> dict[str, Any]:
    if item.output is None:
        return {}
    results = []
    for found in item.output.get("results", []):
        result = {
            key: found.get(key)
            for key in (
                "file_id",
                "file_name",
                "score",
                "page",
                "char_start",
                "char_end",
            )
        }
        if with_content:
            result["content"] = [{"type": "text", "text": found["text"]}]
        results.append(result)
    return {"ranking_options": item.output.get("ranking_options"), "results": results}


def _details(
    step: RunStep, items: Sequence[Item], with_content: bool
) -> dict[str, Any]:
    if step.type is StepType.MESSAGE_CREATION:
        # After a takeover a step has an abandoned message and a kept one, the last.
        message_id = items[-1].id if items else ""
        return {
            "type": "message_creation",
            "message_creation": {"message_id": message_id},
        }
    calls = [render_call(item, with_content=with_content) for item in items]
    return {"type": "tool_calls", "tool_calls": calls}


def _required_action(run: Run, open_calls: Sequence[Item]) -> dict[str, Any] | None:
    if run.status is not RunStatus.REQUIRES_ACTION:
        return None
    calls = [
        {
            "id": call.call_id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.body["arguments"]},
        }
        for call in open_calls
    ]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}


def _error(code: str | None, message: str | None) -> dict[str, Any] | None:
    return {"code": code, "message": message or ""} if code else None


def _usage(counted: Run | RunStep) -> dict[str, int]:
    return {
        "prompt_tokens": counted.input_tokens,
        "completion_tokens": counted.output_tokens,
        "total_tokens": counted.input_tokens + counted.output_tokens,
    }
