"""Runs and steps in each of their states, alone and in lists."""

from datetime import timedelta
from typing import Any, get_args

import httpx2
import pytest

from runtime.clock import now
from runtime.ids import new_id
from runtime.runs.lifecycle import ENDED
from runtime.runs.models import Run, RunStatus, StepStatus, StepType
from runtime.threads.models import Item, ItemStatus, ItemType, Thread
from runtime.wire.runs import RunErrorCode, RunIncompleteReason
from tests.contract import official, spec
from tests.contract.bodies import CONTENT
from tests.contract.world import add_call, add_step
from tests.support.make import Make

pytestmark = spec.needs_document

Json = dict[str, Any]
_PLACE = {"page": 1, "char_start": 0, "char_end": 6}
_CALLS: dict[ItemType, tuple[Json, Json]] = {
    ItemType.FUNCTION_CALL: ({"arguments": "{}"}, {"text": "2"}),
    ItemType.CODE_INTERPRETER_CALL: (
        {"code": "print(1)"},
        {
            "outputs": [
                {"type": "logs", "logs": "1\n"},
                {"type": "image", "image": {"file_id": "file-x"}},
            ]
        },
    ),
    ItemType.FILE_SEARCH_CALL: (
        {"query": "moon"},
        {
            "ranking_options": {
                "ranker": "default_2024_08_21",
                "score_threshold": 0.0,
            },
            "results": [
                {
                    "file_id": "file-x",
                    "file_name": "moon.txt",
                    "score": 0.5,
                    "text": "Basalt.",
                    **_PLACE,
                }
            ],
        },
    ),
}


async def _run(make: Make, status: RunStatus, **fields: Any) -> tuple[Thread, Run]:
    thread = await make.thread()
    moment = now()
    fields = {
        # Nobody is to drive it, or to give it up for lost.
        "available_at": moment + timedelta(hours=1),
        "lease_expires_at": moment + timedelta(hours=1),
        "expires_at": moment + timedelta(hours=1),
        "started_at": None if status is RunStatus.QUEUED else moment,
        "ended_at": moment if status in ENDED else None,
        **fields,
    }
    return thread, await make.run(thread, status=status, **fields)


@pytest.mark.parametrize("status", RunStatus)
async def test_a_run_in_each_status(
    api: httpx2.AsyncClient, make: Make, status: RunStatus
) -> None:
    thread, run = await _run(make, status)
    if status is RunStatus.REQUIRES_ACTION:
        await add_call(make, run, thread, answered=False)

    got = await official.shown(api, f"/threads/{thread.id}/runs", run.id)

    assert got["status"] == status
    assert (got["required_action"] is not None) == (status == "requires_action")
    assert (got["usage"] is not None) == (status in ENDED)
    assert (got["expires_at"] is None) == (status in ENDED)
    for ending in ("completed", "cancelled", "failed"):
        assert (got[f"{ending}_at"] is not None) == (status == ending)


@pytest.mark.parametrize("code", get_args(RunErrorCode))
async def test_a_run_that_failed_says_why(
    api: httpx2.AsyncClient, make: Make, code: str
) -> None:
    thread, run = await _run(
        make, RunStatus.FAILED, error_code=code, error_message="It broke."
    )

    got = await official.shown(api, f"/threads/{thread.id}/runs", run.id)

    assert got["last_error"] == {"code": code, "message": "It broke."}


@pytest.mark.parametrize("reason", get_args(RunIncompleteReason))
async def test_a_run_that_is_incomplete_says_why(
    api: httpx2.AsyncClient, make: Make, reason: str
) -> None:
    thread, run = await _run(make, RunStatus.INCOMPLETE, incomplete_reason=reason)

    got = await official.shown(api, f"/threads/{thread.id}/runs", run.id)

    assert got["incomplete_details"] == {"reason": reason}


@pytest.mark.parametrize("status", StepStatus)
@pytest.mark.parametrize("kind", _CALLS)
@pytest.mark.parametrize("include", [{}, {"include[]": CONTENT}])
async def test_a_step_of_each_tool_in_each_status(
    api: httpx2.AsyncClient,
    make: Make,
    kind: ItemType,
    status: StepStatus,
    include: Json,
) -> None:
    thread, run = await _run(make, RunStatus.COMPLETED)
    failed = status is StepStatus.FAILED
    step = await add_step(
        make,
        run,
        StepType.TOOL_CALLS,
        status,
        error_code="server_error" if failed else None,
        error_message="It broke." if failed else None,
    )
    answered = status is StepStatus.COMPLETED
    body, output = _CALLS[kind]
    item = Item(
        project_id=run.project_id,
        id=new_id("item"),
        run_pk=run.pk,
        run_id=run.id,
        step_pk=step.pk,
        type=kind,
        status=ItemStatus.COMPLETED if answered else ItemStatus.IN_PROGRESS,
        call_id=new_id("call"),
        name="add",
        body=body,
        output=output if answered else None,
    )
    async with make.db.transaction() as session:
        session.add(item)

    path = f"/threads/{thread.id}/runs/{run.id}/steps"
    got = await official.shown(api, path, step.id, **include)

    assert (got["type"], got["status"]) == ("tool_calls", status)
    assert (got["last_error"] is not None) == failed
    for ending in ("completed", "cancelled", "failed", "expired"):
        assert (got[f"{ending}_at"] is not None) == (status == ending)


@pytest.mark.parametrize("status", StepStatus)
async def test_a_step_that_creates_a_message(
    api: httpx2.AsyncClient, make: Make, status: StepStatus
) -> None:
    thread, run = await _run(make, RunStatus.COMPLETED)
    step = await add_step(make, run, StepType.MESSAGE_CREATION, status)
    await make.message(thread, role="assistant", step_pk=step.pk, run_id=run.id)

    got = await official.shown(
        api, f"/threads/{thread.id}/runs/{run.id}/steps", step.id
    )

    assert got["step_details"]["message_creation"]["message_id"].startswith("msg_")
