"""What may be asked of a run, and of its thread, in each state that a run can be in."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from runtime.db.transaction import Database
from runtime.runs.lifecycle import ENDED, LIVE
from runtime.runs.models import Run, RunStatus
from tests.support.make import Make

Put = Callable[[RunStatus], Awaitable[Run]]

_CANCELLED = {
    RunStatus.QUEUED: "cancelled",
    RunStatus.IN_PROGRESS: "cancelling",
    RunStatus.REQUIRES_ACTION: "cancelled",
}
_HELD = (RunStatus.IN_PROGRESS, RunStatus.CANCELLING)
every_state = pytest.mark.parametrize("status", list(RunStatus))


@pytest.fixture
def put(db: Database, make: Make) -> Put:
    """Puts a run into a state in which no worker and no sweeper touches it."""

    async def put(status: RunStatus) -> Run:
        async with db.transaction() as session:
            now = await session.database_now()
        later = now + timedelta(minutes=5)
        fields: dict[str, Any] = {"available_at": later, "expires_at": later}
        if status in ENDED:
            fields |= {"ended_at": now}
        if status in _HELD:
            fields |= {"lease_owner": "far away", "lease_expires_at": later}
        return await make.run(status=status, **fields)

    return put


@every_state
async def test_a_run_is_cancelled_in_each_state_that_is_no_end(
    api: httpx2.AsyncClient, put: Put, status: RunStatus
) -> None:
    run = await put(status)
    path = f"/threads/{run.thread_id}/runs/{run.id}"

    response = await api.post(f"{path}/cancel")

    if status in _CANCELLED:
        assert response.status_code == 200
        assert response.json()["status"] == _CANCELLED[status]
    else:
        assert response.status_code == 400
        error = response.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert error["message"] == f"Cannot cancel run with status '{status}'."
    now = (await api.get(path)).json()["status"]
    assert now == _CANCELLED.get(status, status.value)


@every_state
async def test_only_a_run_that_waits_for_its_caller_takes_outputs(
    api: httpx2.AsyncClient, put: Put, status: RunStatus
) -> None:
    run = await put(status)
    path = f"/threads/{run.thread_id}/runs/{run.id}"
    outputs = [{"tool_call_id": "call_unknown", "output": "1"}]

    response = await api.post(
        f"{path}/submit_tool_outputs", json={"tool_outputs": outputs}
    )

    assert response.status_code == 400
    message = response.json()["error"]["message"]
    if status is RunStatus.REQUIRES_ACTION:
        assert "call_unknown" in message
    else:
        assert status.value in message
    assert (await api.get(path)).json()["status"] == status.value


@every_state
async def test_a_thread_takes_messages_and_runs_once_its_run_has_ended(
    api: httpx2.AsyncClient, put: Put, status: RunStatus
) -> None:
    run = await put(status)
    thread = f"/threads/{run.thread_id}"

    said = await api.post(
        f"{thread}/messages", json={"role": "user", "content": "Hello."}
    )
    created = await api.post(f"{thread}/runs", json={"assistant_id": run.assistant_id})

    for response in (said, created):
        if status in LIVE:
            # Not 409: the official client would ask again.
            assert response.status_code == 400
            assert run.id in response.json()["error"]["message"]
        else:
            assert response.status_code == 200


@every_state
async def test_a_thread_is_deleted_whatever_its_run_is_doing(
    api: httpx2.AsyncClient, put: Put, db: Database, status: RunStatus
) -> None:
    run = await put(status)
    thread = f"/threads/{run.thread_id}"

    response = await api.delete(thread)

    assert response.json()["deleted"] is True
    for path in (thread, f"{thread}/runs/{run.id}", f"{thread}/messages"):
        assert (await api.get(path)).status_code == 404
    async with db.transaction() as session:
        row = await session.get_one(Run, run.pk)
    # One that a worker holds is told to stop; the others have.
    assert row.status in ({RunStatus.CANCELLING} if status in _HELD else ENDED)


@every_state
async def test_a_runs_metadata_changes_in_every_state(
    api: httpx2.AsyncClient, put: Put, status: RunStatus
) -> None:
    run = await put(status)
    path = f"/threads/{run.thread_id}/runs/{run.id}"

    changed = await api.post(path, json={"metadata": {"state": status.value}})

    assert changed.status_code == 200
    assert changed.json()["metadata"] == {"state": status.value}
    assert changed.json()["status"] == status.value
