"""`/assistants`, with the official client where it can say it, raw where it cannot."""

from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from tests.support.envelope import check_error
from tests.support.make import Make

ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        },
        "strict": False,
    },
}
ALL_TOOLS: list[dict[str, Any]] = [
    {"type": "code_interpreter"},
    {
        "type": "file_search",
        "file_search": {
            "max_num_results": 7,
            "ranking_options": {"score_threshold": 0.5, "ranker": "auto"},
        },
    },
    ADD,
]
SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "sum", "schema": {"type": "object"}, "strict": True},
}


async def test_an_assistant_needs_a_model_alone(api: httpx2.AsyncClient) -> None:
    response = await api.post("/assistants", json={"model": "gpt-4o"})

    body = response.json()
    assert response.status_code == 200
    assert body.pop("id").startswith("asst_")
    assert body.pop("created_at") > 0
    assert body == {
        "object": "assistant",
        "name": None,
        "description": None,
        "model": "gpt-4o",
        "instructions": None,
        "tools": [],
        "metadata": {},
        "tool_resources": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
    }


async def test_every_parameter_comes_back_as_it_was_given(
    api: httpx2.AsyncClient, make: Make
) -> None:
    file, store = await make.file(), await make.store()
    asked = {
        "model": "gpt-4o",
        "name": "Ada 🧮",
        "description": "Counts.",
        "instructions": "Count.\n\n" * 100,
        "tools": ALL_TOOLS,
        "tool_resources": {
            "code_interpreter": {"file_ids": [file.id]},
            "file_search": {"vector_store_ids": [store.id]},
        },
        "metadata": {"team": "blue"},
        "temperature": 0.2,
        "top_p": 1,
        "response_format": SCHEMA,
        "reasoning_effort": "low",
    }

    created = await api.post("/assistants", json=asked)
    got = await api.get(f"/assistants/{created.json()['id']}")

    assert got.json() == created.json()
    del asked["reasoning_effort"]  # the official object does not show it
    assert {key: got.json()[key] for key in asked} == asked


async def test_modifying_leaves_what_is_not_named(openai: AsyncOpenAI) -> None:
    assistant = await openai.beta.assistants.create(
        model="gpt-4o", name="Ada", instructions="Count.", metadata={"a": "b"}
    )

    modified = await openai.beta.assistants.update(assistant.id, name="Grace")

    assert modified.name == "Grace"
    assert modified.model_copy(update={"name": "Ada"}) == assistant


async def test_modifying_with_null_clears(api: httpx2.AsyncClient, make: Make) -> None:
    file = await make.file()
    assistant = await make.assistant(
        name="Ada",
        instructions="Count.",
        temperature=1.5,
        metadata_={"a": "b"},
        response_format=SCHEMA,
        tool_resources={"code_interpreter": {"file_ids": [file.id]}},
    )
    nullable = {
        "name": None,
        "instructions": None,
        "temperature": None,
        "metadata": None,
        "response_format": None,
        "tool_resources": None,
    }

    response = await api.post(f"/assistants/{assistant.id}", json=nullable)

    cleared = {
        "metadata": {},
        "response_format": "auto",
        "tool_resources": {},
        "temperature": 1.0,
    }
    body = response.json()
    assert {key: body[key] for key in nullable} == {**nullable, **cleared}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 4}, "model"),
        ({"model": "m", "colour": "red"}, "colour"),
        ({"model": "m", "name": "a" * 257}, "name"),
        ({"model": "m", "name": "a\0b"}, "name"),
        ({"model": "m", "description": "a" * 513}, "description"),
        ({"model": "m", "instructions": "a" * 256_001}, "instructions"),
        ({"model": "m", "temperature": 2.1}, "temperature"),
        ({"model": "m", "top_p": -0.1}, "top_p"),
        ({"model": "m", "metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"model": "m", "metadata": {"a": 1}}, "metadata.a"),
        ({"model": "m", "metadata": {"a": "\0"}}, "metadata"),
        ({"model": "m", "tools": [{"type": "magic"}]}, None),
        ({"model": "m", "tools": [ADD] * 129}, "tools"),
        ({"model": "m", "response_format": "prose"}, None),
        (
            {
                "model": "m",
                "tool_resources": {"code_interpreter": {"file_ids": ["f"] * 21}},
            },
            "tool_resources.code_interpreter.file_ids",
        ),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_name(
    api: httpx2.AsyncClient, body: dict[str, Any], param: str | None
) -> None:
    check_error(await api.post("/assistants", json=body), 400, param=param)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"model": "m", "name": "\\ud800"}', "application/json", 400),
        (b'{"model": "m", "temperature": NaN}', "application/json", 400),
        (b'{"model": "m"}', "text/plain", 415),
        (b"model=m", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_a_body_that_is_no_good_json_is_refused(
    api: httpx2.AsyncClient, content: bytes, content_type: str, status: int
) -> None:
    response = await api.post(
        "/assistants", content=content, headers={"content-type": content_type}
    )

    check_error(response, status)


async def test_a_deleted_assistant_is_gone(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, make: Make
) -> None:
    assistant = await make.assistant()

    deleted = await openai.beta.assistants.delete(assistant.id)

    assert (deleted.object, deleted.deleted) == ("assistant.deleted", True)
    address = f"/assistants/{assistant.id}"
    check_error(await api.get(address), 404, says=assistant.id)
    check_error(await api.post(address, json={}), 404)
    check_error(await api.delete(address), 404)
    assert (await api.get("/assistants")).json()["data"] == []


async def test_another_project_sees_nothing(
    stranger: httpx2.AsyncClient, make: Make
) -> None:
    assistant = await make.assistant()
    address = f"/assistants/{assistant.id}"

    check_error(await stranger.get(address), 404)
    check_error(await stranger.post(address, json={"name": "Mine"}), 404)
    check_error(await stranger.delete(address), 404)
    check_error(await stranger.get(f"/assistants?after={assistant.id}"), 400)
    assert (await stranger.get("/assistants")).json()["data"] == []


async def test_pages_go_both_ways(api: httpx2.AsyncClient, make: Make) -> None:
    ids = [(await make.assistant()).id for _ in range(5)]

    async def page(**query: str | int) -> tuple[list[str], bool]:
        body = (await api.get("/assistants", params=query)).json()
        found = [assistant["id"] for assistant in body["data"]]
        assert body["object"] == "list"
        assert body["first_id"] == (found[0] if found else "")
        assert body["last_id"] == (found[-1] if found else "")
        return found, body["has_more"]

    newest = ids[::-1]
    assert await page() == (newest, False)
    assert await page(limit=2) == (newest[:2], True)
    assert await page(limit=2, after=newest[1]) == (newest[2:4], True)
    assert await page(limit=2, after=newest[3]) == (newest[4:], False)
    assert await page(limit=2, before=newest[3]) == (newest[1:3], True)
    assert await page(limit=2, before=newest[2]) == (newest[:2], False)
    assert await page(after=newest[-1]) == ([], False)
    assert await page(order="asc", limit=2, after=ids[1]) == (ids[2:4], True)
    assert await page(order="asc", before=ids[2]) == (ids[:2], False)


async def test_the_client_reads_all_pages(openai: AsyncOpenAI, make: Make) -> None:
    ids = [(await make.assistant()).id for _ in range(5)]

    found = [assistant.id async for assistant in openai.beta.assistants.list(limit=2)]

    assert found == ids[::-1]


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("PUT", "/assistants", 405),
        ("PATCH", "/assistants/asst_x", 405),
        ("GET", "/assistants/", 404),
        ("GET", "/assistant", 404),
    ],
)
async def test_a_wrong_address_or_verb_answers_in_the_envelope(
    api: httpx2.AsyncClient, method: str, address: str, status: int
) -> None:
    check_error(await api.request(method, address), status)


async def test_a_wrong_key_opens_nothing(api_url: str) -> None:
    async with httpx2.AsyncClient(base_url=f"{api_url}/v1") as client:
        missing = await client.get("/assistants")
        wrong = await client.get(
            "/assistants", headers={"authorization": "Bearer sk-wrong-wrong-wrong"}
        )

    check_error(missing, 401)
    assert check_error(wrong, 401)["code"] == "invalid_api_key"
