"""Another project's key finds nothing, whatever it asks for by whichever route."""

import re
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute

from runtime.api.routes import v1_routers
from runtime.runs.models import RunStatus, RunStep, StepStatus, StepType
from tests.support.make import Make

# Addresses without an id in their path are lists and creations, checked below by what
# they show; models belong to nobody.
_OWNED = re.compile(r"^/(?!models/).*{")

_BODIES: dict[str, Any] = {
    "/threads/{thread_id}/messages": {"role": "user", "content": "x"},
    "/threads/{thread_id}/runs": {"assistant_id": "asst_x"},
    "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs": {"tool_outputs": []},
    "/uploads/{upload_id}/complete": {"part_ids": ["part_x"]},
    "/vector_stores/{vector_store_id}/search": {"query": "x"},
    "/vector_stores/{vector_store_id}/files": {"file_id": "file-x"},
    "/vector_stores/{vector_store_id}/file_batches": {"file_ids": ["file-x"]},
    "/vector_stores/{vector_store_id}/files/{file_id}": {"attributes": {"a": "b"}},
}


def routes() -> list[tuple[str, str]]:
    """Every verb and address with an id in it."""
    return sorted(
        (method, route.path)
        for router in v1_routers()
        for route in router.routes
        if isinstance(route, APIRoute) and _OWNED.match(route.path)
        for method in route.methods or ()
    )


@pytest.fixture
async def ids(make: Make, api: httpx2.AsyncClient) -> dict[str, str]:
    """One of everything, in the first project."""
    assistant, thread = await make.assistant(), await make.thread()
    message = await make.message(thread)
    run = await make.run(thread, assistant=assistant, status=RunStatus.COMPLETED)
    async with make.db.transaction() as session:
        step = RunStep(
            project_id=run.project_id,
            id=f"step_of_{run.id}",
            run_pk=run.pk,
            idx=0,
            turn=0,
            type=StepType.MESSAGE_CREATION,
            status=StepStatus.COMPLETED,
        )
        session.add(step)
    upload = await api.post(
        "/uploads",
        json={
            "filename": "notes.txt",
            "purpose": "assistants",
            "bytes": 5,
            "mime_type": "text/plain",
        },
    )
    store = await make.store()
    file = await make.file()
    await make.store_file(store, "Some words.", file=file)
    return {
        "assistant_id": assistant.id,
        "thread_id": thread.id,
        "message_id": message.id,
        "run_id": run.id,
        "step_id": step.id,
        "vector_store_id": store.id,
        "file_id": file.id,
        "batch_id": "vsfb_x",
        "upload_id": upload.json()["id"],
    }


def test_there_are_routes_to_try() -> None:
    assert len(routes()) > 25


@pytest.mark.parametrize(("method", "path"), routes())
async def test_a_stranger_finds_nothing(
    stranger: httpx2.AsyncClient,
    api: httpx2.AsyncClient,
    ids: dict[str, str],
    method: str,
    path: str,
) -> None:
    names = re.findall(r"{(\w+)}", path)
    if missing := set(names) - ids.keys():
        pytest.fail(f"say in `ids` what {missing} is")
    sent: dict[str, Any] = {}
    if path.endswith("/parts"):
        sent = {"files": {"data": b"Notes"}}
    elif method == "POST":
        sent = {"json": _BODIES.get(path, {})}

    response = await stranger.request(method, path.format(**ids), **sent)

    assert response.status_code == 404, response.text
    error = response.json()["error"]
    assert error["code"] == "not_found"
    # As for an id that nobody has: the answer does not tell that there is such a thing.
    nobodys = {name: f"x{id[1:]}" for name, id in ids.items()}
    unknown = await stranger.request(method, path.format(**nobodys), **sent)
    assert unknown.status_code == 404
    for name in names:
        error["message"] = error["message"].replace(ids[name], nobodys[name])
    assert unknown.json()["error"] == error


async def test_a_strangers_ids_in_a_body_are_not_found(
    stranger: httpx2.AsyncClient, ids: dict[str, str]
) -> None:
    own = (await stranger.post("/threads")).json()["id"]
    picture = {"type": "image_file", "image_file": {"file_id": ids["file_id"]}}
    attachment = {"file_id": ids["file_id"], "tools": [{"type": "file_search"}]}
    asked: list[tuple[str, dict[str, Any]]] = [
        (f"/threads/{own}/runs", {"assistant_id": ids["assistant_id"]}),
        ("/threads/runs", {"assistant_id": ids["assistant_id"]}),
        (f"/threads/{own}/messages", {"role": "user", "content": [picture]}),
        (
            f"/threads/{own}/messages",
            {"role": "user", "content": "x", "attachments": [attachment]},
        ),
        (
            "/threads",
            {"tool_resources": {"code_interpreter": {"file_ids": [ids["file_id"]]}}},
        ),
        (
            f"/threads/{own}",
            {
                "tool_resources": {
                    "file_search": {"vector_store_ids": [ids["vector_store_id"]]}
                }
            },
        ),
    ]
    for path, body in asked:
        response = await stranger.post(path, json=body)
        assert response.status_code in (400, 404), (path, response.text)
    listed = (await stranger.get(f"/threads/{own}/messages")).json()
    assert listed["data"] == []


async def test_a_threads_things_are_not_found_by_way_of_another_thread(
    api: httpx2.AsyncClient, make: Make, ids: dict[str, str]
) -> None:
    other = await make.thread()
    for path in (
        f"/threads/{other.id}/messages/{ids['message_id']}",
        f"/threads/{other.id}/runs/{ids['run_id']}",
        f"/threads/{other.id}/runs/{ids['run_id']}/steps",
        f"/threads/{other.id}/runs/{ids['run_id']}/steps/{ids['step_id']}",
    ):
        assert (await api.get(path)).status_code == 404, path


async def test_lists_show_only_ones_own(
    stranger: httpx2.AsyncClient, ids: dict[str, str]
) -> None:
    for path in ("/assistants", "/files", "/vector_stores"):
        assert (await stranger.get(path)).json()["data"] == []
