"""`Idempotency-Key`: what is sent again has one effect, and gets one answer."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import select, text

from runtime.api.app import create_app
from runtime.api.router import Route
from runtime.api.routes import v1_routers
from runtime.db.transaction import Database
from runtime.idempotency.models import IdempotencyKey
from runtime.idempotency.service import Asked, claim, forget_old
from runtime.projects.models import Project
from runtime.runs.models import RunStatus
from runtime.settings import Settings
from runtime.threads.models import Thread
from tests.api.keys import REPLAYED, at_once, check_replay, grow_older, new_key
from tests.engine.talk import call
from tests.support.envelope import check_error
from tests.support.make import Make
from tests.support.stack import Stack

REUSE = {"param": "Idempotency-Key", "says": "another request"}
DAY = timedelta(hours=24)


def posts() -> list[str]:
    """The addresses of all POSTs of the API, below `/v1`."""
    paths = create_app(Settings()).openapi()["paths"]
    return sorted(
        path.removeprefix("/v1")
        for path, operations in paths.items()
        if path.startswith("/v1/") and "post" in operations
    )


@pytest.mark.parametrize("path", posts())
async def test_every_post_knows_what_its_key_stands_for(
    api: httpx2.AsyncClient, path: str
) -> None:
    key = new_key()
    await call(api, "POST", "/threads", json={"metadata": {"a": "b"}}, headers=key)

    other = await api.post(re.sub(r"{\w+}", "x", path), json={}, headers=key)
    none = await api.post(path, json={}, headers={"idempotency-key": "k" * 256})

    assert check_error(other, 400, **REUSE)["code"] == "idempotency_key_reuse"
    check_error(none, 400, param="Idempotency-Key")


def test_only_what_waits_for_a_model_parts_its_effect_from_its_answer() -> None:
    waiting = {
        route.path
        for router in v1_routers()
        for route in router.routes
        if isinstance(route, Route) and "POST" in (route.methods or ())
        if not route.in_transaction
    }

    assert waiting == {
        "/chat/completions",
        "/embeddings",
        "/vector_stores/{vector_store_id}/search",
    }


async def test_a_request_that_is_sent_again_gets_the_same_answer(
    api: httpx2.AsyncClient,
) -> None:
    key = new_key()
    first = await api.post(
        "/threads", json={"metadata": {"a": "1", "b": "2"}}, headers=key
    )
    again = await api.post(
        "/threads",
        content=b'{ "metadata": {"b":"2",  "a":"\\u0031"} }',
        headers={**key, "content-type": "application/json"},
    )

    check_replay(first, again)


async def test_an_answer_is_the_same_though_the_thing_has_changed(
    api: httpx2.AsyncClient,
) -> None:
    key = new_key()
    first = await api.post("/threads", headers=key)
    path = f"/threads/{first.json()['id']}"
    await call(api, "POST", path, json={"metadata": {"now": "another"}})

    check_replay(first, await api.post("/threads", headers=key))
    assert (await api.delete(path)).status_code == 200
    check_replay(first, await api.post("/threads", headers=key))


@pytest.mark.parametrize(
    "sent",
    [[""], ["k" * 256], ["ключ".encode()], [b"a\tb"], ["a", "b"]],
    ids=lambda sent: repr(sent[0])[:12],
)
async def test_what_is_no_key_is_refused(
    api: httpx2.AsyncClient, sent: list[Any]
) -> None:
    response = await api.post(
        "/threads", headers=[("idempotency-key", k) for k in sent]
    )

    error = check_error(response, 400, param="Idempotency-Key")
    assert error["code"] == "invalid_idempotency_key"


async def test_a_key_of_255_characters_of_any_kind_is_one(
    api: httpx2.AsyncClient,
) -> None:
    key = {"idempotency-key": "~ !\"'%;{}" * 28 + "abc"}
    assert len(key["idempotency-key"]) == 255

    first = await api.post("/threads", headers=key)

    check_replay(first, await api.post("/threads", headers=key))


async def test_a_key_stands_for_one_address_body_and_query(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread, key = await make.thread(), new_key()
    path, body = f"/threads/{thread.id}/messages", {"role": "user", "content": "Hi."}
    await call(api, "POST", path, json=body, headers=key)

    others = [
        await api.post(path, json={**body, "content": "Ho."}, headers=key),
        await api.post(path, json={**body, "metadata": None}, headers=key),
        await api.post(path, json=body, params={"x": "1"}, headers=key),
        await api.post(path, content=b"{", headers=key),
        await api.post("/threads", headers=key),
    ]

    for other in others:
        check_error(other, 400, **REUSE)
    page = await call(api, "GET", path, headers=key)
    assert len(page["data"]) == 1


async def test_another_projects_key_is_another_key(
    api: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    key = new_key()
    ours = await call(api, "POST", "/threads", headers=key)

    theirs = await stranger.post("/threads", json={"metadata": {}}, headers=key)

    assert theirs.status_code == 200
    assert theirs.json()["id"] != ours["id"]


async def test_who_has_no_key_of_ours_learns_nothing(
    api_url: str, api: httpx2.AsyncClient
) -> None:
    key = new_key()
    await call(api, "POST", "/threads", headers=key)

    async with httpx2.AsyncClient(base_url=f"{api_url}/v1") as nobody:
        check_error(await nobody.post("/threads", headers=key), 401)


async def test_twenty_runs_at_once_under_one_key_are_one(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread, assistant, key = await make.thread(), await make.assistant(), new_key()
    path, body = f"/threads/{thread.id}/runs", {"assistant_id": assistant.id}

    run = await at_once(api.post(path, json=body, headers=key) for _ in range(20))

    page = await call(api, "GET", path)
    assert [run["id"] for run in page["data"]] == [run["id"]]


async def test_twenty_messages_at_once_under_one_key_are_one(
    openai: AsyncOpenAI, make: Make
) -> None:
    thread, key = await make.thread(), new_key()
    messages = openai.beta.threads.messages

    made = await asyncio.gather(
        *(
            messages.create(thread.id, role="user", content="Hi.", extra_headers=key)
            for _ in range(20)
        )
    )

    assert len({message.id for message in made}) == 1
    assert len((await messages.list(thread.id)).data) == 1


async def test_what_failed_may_be_tried_again(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread, key = await make.thread(), new_key()
    run = await make.run(thread, status=RunStatus.REQUIRES_ACTION)
    path, body = f"/threads/{thread.id}/messages", {"role": "user", "content": "Hi."}

    check_error(await api.post(path, json=body, headers=key), 400, says=run.id)
    check_error(await api.post(path, json={"role": 1}, headers=key), 400, param="role")
    await call(api, "POST", f"/threads/{thread.id}/runs/{run.id}/cancel")

    assert (await api.post(path, json=body, headers=key)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"{", b"[" * 50_000, b'{"metadata": NaN}', b'"\\ud800"', b"\xff", b"9" * 5000],
    ids=lambda body: repr(body[:8]),
)
async def test_a_body_that_cannot_be_read_is_refused_as_ever(
    api: httpx2.AsyncClient, body: bytes
) -> None:
    headers = {"content-type": "application/json"}

    plain = await api.post("/threads", content=body, headers=headers)
    keyed = await api.post("/threads", content=body, headers={**headers, **new_key()})

    check_error(keyed, 400)
    assert keyed.json() == plain.json()


async def test_gets_and_deletes_know_no_key(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread, key = await make.thread(), new_key()
    await call(api, "POST", "/threads", headers=key)

    await call(api, "GET", f"/threads/{thread.id}", headers=key)
    await call(api, "DELETE", f"/threads/{thread.id}", headers=key)


async def test_a_key_is_forgotten_after_a_day(
    api: httpx2.AsyncClient, db: Database
) -> None:
    key = new_key()
    first = await call(api, "POST", "/threads", headers=key)
    await grow_older(db, key, DAY - timedelta(minutes=1))
    assert await call(api, "POST", "/threads", headers=key) == first

    await grow_older(db, key, timedelta(minutes=2))
    other = await api.post("/threads", json={"metadata": {}}, headers=key)

    assert other.json()["id"] != first["id"]
    check_replay(other, await api.post("/threads", json={"metadata": {}}, headers=key))


async def test_the_sweeper_forgets_what_is_over(
    api: httpx2.AsyncClient, db: Database
) -> None:
    old, young = new_key(), new_key()
    for key in (old, young):
        await call(api, "POST", "/threads", headers=key)
    await grow_older(db, old, DAY)

    async with db.transaction() as session:
        assert await forget_old(session) >= 1

    async with db.transaction() as session:
        kept = set(await session.scalars(select(IdempotencyKey.key)))
    assert old["idempotency-key"] not in kept
    assert young["idempotency-key"] in kept


async def test_a_process_killed_at_work_leaves_no_key_behind(
    api: httpx2.AsyncClient, db: Database, make: Make, stack: Stack
) -> None:
    thread, key = await make.thread(), new_key()
    path, body = f"/threads/{thread.id}/messages", {"role": "user", "content": "Hi."}
    url = stack.start_api("doomed")

    async with db.transaction() as session:
        await session.get_one(Thread, thread.pk, with_for_update=True)
        doomed = asyncio.create_task(
            api.post(f"{url}/v1{path}", json=body, headers=key)
        )
        await asyncio.sleep(0.5)  # it waits for the thread, with its key claimed
        stack.kill("doomed")
        with pytest.raises(httpx2.TransportError):
            await doomed

    again = await api.post(path, json=body, headers=key)
    check_replay(again, await api.post(path, json=body, headers=key))
    assert len((await call(api, "GET", path))["data"]) == 1


async def test_a_twin_that_waits_too_long_is_told_to_come_back(
    api: httpx2.AsyncClient, db: Database, project: Project
) -> None:
    key = new_key()

    async with db.transaction() as session:
        await session.execute(text("SET idle_in_transaction_session_timeout = '20s'"))
        await claim(session, Asked(project.id, key["idempotency-key"], b"the other"))
        response = await api.post("/threads", headers=key)
        await session.rollback()

    error = check_error(response, 409, param="Idempotency-Key")
    assert error["code"] == "idempotency_key_in_use"
    assert response.headers["retry-after"] == "1"
    assert REPLAYED not in (await api.post("/threads", headers=key)).headers
