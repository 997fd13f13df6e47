"""What we publish at `/openapi.json` is the official API, and what we have added to it."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis

from tests.contract import spec
from tests.properties.described import ALL, DOCUMENT, OPERATIONS, Operation

# Ours, by intent: what users asked for and never got, and what operators need.
_ADDED = {
    "listThreads",
    "forkThread",
    "exportThread",
    "deleteThreads",
    "resumeStream",
    "healthz",
    "readyz",
    "metrics",
}
_FORMS = {
    "createFile": {
        "file",
        "purpose",
        "expires_after[anchor]",
        "expires_after[seconds]",
    },
    "addUploadPart": {"data"},
}
_STREAMING = {
    "createChatCompletion",
    "createRun",
    "createThreadAndRun",
    "resumeStream",
    "submitToolOuputsToRun",
}

each = pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.id)


@spec.needs_document
def test_each_official_operation_is_there_and_none_is_invented() -> None:
    assert spec.DOCUMENT is not None
    official = {
        (verb.upper(), f"/v1{path}"): described["operationId"]
        for path, verbs in spec.DOCUMENT["paths"].items()
        for verb, described in verbs.items()
    }
    ours = {(o.verb, o.path): o.id for o in ALL if o.id not in _ADDED}

    assert {(verb, f"/v1{path}") for verb, path in spec.operations()} <= set(ours)
    assert ours == {place: official.get(place) for place in ours}
    assert {operation.id for operation in ALL} >= _ADDED


@spec.needs_document
@each
def test_each_official_parameter_is_there_and_none_is_invented(
    operation: Operation,
) -> None:
    if operation.id in _ADDED:
        return
    assert spec.DOCUMENT is not None
    path = operation.path.removeprefix("/v1")
    official = spec.DOCUMENT["paths"][path][operation.verb.lower()]
    named = {(p["in"], p["name"]) for p in official.get("parameters", ())}
    ours = {("path", name) for name in operation.ids}
    ours |= {("query", name) for name in operation.queries}

    assert ours == named


def test_the_document_is_valid_openapi() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(DOCUMENT).validate()


async def test_the_document_is_what_is_served(api_url: str) -> None:
    async with httpx2.AsyncClient(base_url=api_url) as client:
        assert (await client.get("/openapi.json")).json() == DOCUMENT


@each
def test_an_operation_says_what_it_is_and_how_it_refuses(operation: Operation) -> None:
    described = _described(operation)
    refusals = operation.statuses - {200}

    assert "\n" not in described["summary"]
    assert described["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert 422 not in refusals
    if operation not in OPERATIONS:
        assert described["security"] == []
        return
    assert "security" not in described
    assert {400, 401, 429, 503} <= refusals
    assert (404 in refusals) >= bool(operation.ids)
    assert ({413, 415} <= refusals) == bool(operation.media_types)
    assert all("$ref" in described["responses"][str(status)] for status in refusals)


@each
def test_every_post_takes_an_idempotency_key(operation: Operation) -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    takes = key in _described(operation).get("parameters", ())

    assert takes == (operation.verb == "POST")


@pytest.mark.parametrize("name", _FORMS)
def test_a_form_shows_its_fields(name: str) -> None:
    content = _described(_named(name))["requestBody"]["content"]

    assert set(content["multipart/form-data"]["schema"]["properties"]) == _FORMS[name]


def test_what_may_be_streamed_says_so() -> None:
    streaming = {
        operation.id
        for operation in ALL
        if "text/event-stream"
        in _described(operation)["responses"]["200"].get("content", ())
    }

    assert streaming == _STREAMING


def test_a_shape_has_one_name_and_no_default_of_null() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    assert [name for name in schemas if name.endswith(("-Input", "-Output"))] == []
    assert all(node.get("default", "none") is not None for node in _nodes(schemas))


def test_every_reference_leads_somewhere() -> None:
    for node in _nodes(DOCUMENT):
        if isinstance(node.get("$ref"), str):
            found = DOCUMENT
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]


def _named(name: str) -> Operation:
    return next(operation for operation in ALL if operation.id == name)


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = DOCUMENT["paths"][operation.path][
        operation.verb.lower()
    ]
    return described


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    parts = node.values() if isinstance(node, dict) else node
    if isinstance(node, dict | list):
        for part in parts:
            yield from _nodes(part)
