"""What may be asked for as `response_format`, wherever one may ask for it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.engine.talk import Talk, begin
from tests.support.upstream import Upstream

Begin = Callable[..., Awaitable[Talk]]

PLACE = "response_format.json_schema.schema"


@pytest.fixture
def talk(api: httpx2.AsyncClient, upstream: Upstream) -> Begin:
    return partial(begin, api, upstream)


def asking(**json_schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", **json_schema}}


async def places(talk: Begin) -> list[tuple[str, dict[str, Any]]]:
    """Each path that takes a response format, with what else its body needs."""
    on: Talk = await talk()
    assistant = {"assistant_id": on.assistant_id}
    return [
        ("/assistants", {"model": on.model}),
        (f"/assistants/{on.assistant_id}", {}),
        (f"{on.path}/runs", assistant),
        ("/threads/runs", assistant),
    ]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (asking(schema={"type": "nothing"}), PLACE),
        (asking(schema={"properties": {"a": {"required": 1}}}), PLACE),
        (asking(schema={"$ref": "http://127.0.0.1:9/"}, strict=True), PLACE),
        (asking(schema={"pattern": "(?!a)"}, strict=True), PLACE),
        (asking(schema=[]), PLACE),
        (asking(schema="object"), PLACE),
        (asking(schema=None), PLACE),
        (asking(schema={}, strict="yes"), "response_format.json_schema.strict"),
        (asking(schema={}, name="a b"), "response_format.json_schema.name"),
        (asking(schema={}, name="n" * 65), "response_format.json_schema.name"),
        (asking(schema={}, more=1), "response_format.json_schema.more"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        (
            {"type": "json_schema", "json_schema": {"schema": {}}},
            "response_format.json_schema.name",
        ),
        ({"type": "xml"}, "response_format.type"),
        ({}, "response_format.type"),
        ("text", "response_format"),
        (5, "response_format"),
    ],
    ids=str,
)
async def test_what_cannot_be_asked_for_is_refused_at_its_place(
    talk: Begin, asked: Any, param: str
) -> None:
    on = await talk()
    body = {"assistant_id": on.assistant_id, "response_format": asked}

    response = await on.api.post(f"{on.path}/runs", json=body)

    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


async def test_a_bad_schema_is_refused_wherever_one_may_be_given(talk: Begin) -> None:
    bad = asking(schema={"properties": {"a": {"type": "strin"}}}, strict=True)
    for path, body in await places(talk):
        on = await talk()
        response = await on.api.post(path, json={**body, "response_format": bad})

        assert response.status_code == 400, path
        error = response.json()["error"]
        assert (error["param"], error["code"]) == (PLACE, "invalid_value")
        assert "at $.properties.a.type" in error["message"]


async def test_a_good_schema_comes_back_as_it_was_given(talk: Begin) -> None:
    properties = {"zebra": {"type": "string"}, "a": {"type": ["integer", "null"]}}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    good = asking(schema=schema, strict=True, description="An answer.")
    for path, body in await places(talk):
        on = await talk()
        response = await on.api.post(path, json={**body, "response_format": good})

        assert response.status_code == 200, response.text
        shown = response.json()["response_format"]
        assert shown == good
        assert list(shown["json_schema"]["schema"]["properties"]) == ["zebra", "a"]
