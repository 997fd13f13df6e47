"""The official operations: what each may be asked, and what it may answer.

An answer is judged twice: by the document as it stands, open to keys of our own, and by
the document corrected (`slips.py`), which knows every key there may be.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from jsonschema import Draft202012Validator, ValidationError

from tests.contract import spec

Schema = dict[str, Any]

_REF = "#/components/schemas/"
# A filter contains filters, and is followed once.
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb on one address.

    `request` and `answer` name components; a download's answer is bytes, and None.
    """

    id: str
    verb: str
    path: str
    queries: frozenset[str]
    request: str | None
    answer: str | None

    @property
    def path_ids(self) -> list[str]:
        """The names of the ids in its address."""
        return re.findall(r"{(\w+)}", self.path)


@cache
def operations() -> dict[str, Operation]:
    """All of them, by the document's own `operationId`."""
    paths = spec.DOCUMENT["paths"] if spec.DOCUMENT else {}
    found = (
        _operation(verb, path, paths[path][verb.lower()])
        for verb, path in spec.operations()
    )
    return {operation.id: operation for operation in found}


def _operation(verb: str, path: str, described: Schema) -> Operation:
    parameters = described.get("parameters", [])
    return Operation(
        id=described["operationId"],
        verb=verb,
        path=path,
        queries=frozenset(p["name"] for p in parameters if p["in"] == "query"),
        request=_component(described.get("requestBody")),
        answer=_component(described["responses"]["200"]),
    )


def _component(described: Schema | None) -> str | None:
    for content in (described or {}).get("content", {}).values():
        reference: str = content["schema"].get("$ref", "")
        return reference.removeprefix(_REF) or None
    return None


def operation_at(verb: str, path: str) -> Operation:
    """The operation that a request below `/v1` asks for.

    Raises:
        LookupError: the document has none there.
    """
    fitting = [
        operation
        for operation in operations().values()
        if operation.verb == verb
        and re.fullmatch(re.sub(r"{\w+}", "[^/]+", operation.path), path)
    ]
    # `/threads/runs` also reads as a thread called "runs".
    fitting.sort(key=lambda operation: operation.path.count("{"))
    if not fitting:
        raise LookupError(f"{verb} {path}")
    return fitting[0]


def request_fields(component: str) -> set[str]:
    """Every field of a request, as `tools[].function.name`; unions hold all branches."""
    schema = spec.uncorrected()[component]
    return set(_fields(schema, "", frozenset({component})))


def _fields(schema: Schema, place: str, seen: frozenset[str]) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        if name not in seen:
            yield from _fields(spec.uncorrected()[name], place, seen | {name})
        return
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _fields(branch, place, seen)
    if "items" in schema:
        yield from _fields(schema["items"], f"{place}[]", seen)
    for name, part in schema.get("properties", {}).items():
        inner = f"{place}.{name}".removeprefix(".")
        yield inner
        yield from _fields(part, inner, seen)


def sent_fields(body: Any, place: str = "") -> Iterator[str]:
    """The fields of a body that is sent, spelt as `request_fields` spells them."""
    if isinstance(body, dict):
        for name, part in body.items():
            inner = f"{place}.{name}".removeprefix(".")
            yield inner
            yield from sent_fields(part, inner)
    elif isinstance(body, list):
        for part in body:
            yield from sent_fields(part, f"{place}[]")


def check_answer(response: httpx2.Response) -> Any:
    """Assert that a request succeeded, with what its operation may answer; the body."""
    assert response.status_code == 200, response.text
    assert response.headers["x-request-id"].startswith("req_")
    path = response.request.url.path.removeprefix("/v1")
    operation = operation_at(response.request.method, path)
    if operation.answer is None:
        return response.content
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    check(operation.answer, body)
    return body


async def shown(api: httpx2.AsyncClient, path: str, id: str, **params: Any) -> Schema:
    """An object as its list and its own address show it: alike, and by the document."""
    listed = check_answer(await api.get(path, params=params))
    (alone,) = [entry for entry in listed["data"] if entry["id"] == id]
    got: Schema = check_answer(await api.get(f"{path}/{id}", params=params))
    assert got == alone
    return got


def check_event(name: str, data: Any) -> None:
    """Assert that an event of a run's stream is one, and carries what it must."""
    if name == "done":
        assert data == "[DONE]"
        return
    check(_event_components()[name], data)


def check(component: str, value: Any) -> None:
    """Assert that a value is what the document says, as it stands and corrected."""
    wrong = [e for e in _uncorrected(component).iter_errors(value) if not _is_slip(e)]
    wrong += _corrected(component).iter_errors(value)
    told = [f"{error.json_path}: {error.message[:300]}" for error in wrong]
    assert told == [], f"no {component}: {value}"


@cache
def _uncorrected(component: str) -> Draft202012Validator:
    return _validator(component, spec.uncorrected())


@cache
def _corrected(component: str) -> Draft202012Validator:
    # The correction bounds an overlap by the least chunk, since it cannot say "half".
    loose = "StaticChunkingStrategy"
    return _validator(
        component, {**spec.components(), loose: spec.uncorrected()[loose]}
    )


def _validator(component: str, schemas: dict[str, Schema]) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"{_REF}{component}", "components": {"schemas": schemas}}
    )


def _is_slip(error: ValidationError) -> bool:
    """Whether the document forbids what it cannot mean: that a file for evals, which it
    lets one upload, is never shown."""
    place = error.path[-1] if error.path else None
    return place == "purpose" and bool(error.instance == "evals")


@cache
def _event_components() -> dict[str, str]:
    branches = [
        branch
        for union in spec.uncorrected()["AssistantStreamEvent"]["oneOf"]
        for branch in spec.uncorrected()[union["$ref"].removeprefix(_REF)].get(
            "oneOf", ()
        )
    ]
    return {
        branch["properties"]["event"]["enum"][0]: branch["properties"]["data"][
            "$ref"
        ].removeprefix(_REF)
        for branch in branches
    }
