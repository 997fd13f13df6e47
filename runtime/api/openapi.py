"""`/openapi.json`: what FastAPI reads off the routes, and what holds for all of them.

FastAPI knows each route's parameters, its body and what it returns. Keys, refusals and
headers are the same everywhere, so they are said here, once, and no route repeats them.
A route's function is called as the official operation is, in snake case; its docstring
begins with the line that the list of operations shows.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from runtime.api.published import (
    DESCRIPTION,
    EVERY_ANSWER,
    HEADERS,
    IDEMPOTENCY_KEY,
    REFUSALS,
    SECURITY,
    SECURITY_SCHEMES,
    TAGS,
    UPSTREAM_OPERATIONS,
)
from runtime.wire.errors import ErrorResponse
from runtime.wire.events import AssistantStreamEvent

Schema = dict[str, Any]

_SCHEMA_REF = "#/components/schemas/{model}"
# What is sent, but returned by no route.
_NOT_RETURNED: dict[str, Any] = {
    "ErrorResponse": ErrorResponse,
    "AssistantStreamEvent": AssistantStreamEvent,
}


class DescribedAPI(FastAPI):
    """FastAPI whose `/openapi.json` is true of this API."""

    def openapi(self) -> Schema:
        """The document, made once: OpenAPI 3.1."""
        if self.openapi_schema is None:
            document = _renamed(super().openapi())
            _complete(document)
            self.openapi_schema = document
        return self.openapi_schema


def operation_id(route: APIRoute) -> str:
    """`create_run` → `createRun`: the official names, so that generated clients match."""
    first, *others = route.name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _renamed(node: Any) -> Any:
    """`X-Output` is `X`, and `X-Input`, the form that requests have of it, `XParam`."""
    if isinstance(node, dict):
        return {_renamed(key): _renamed(part) for key, part in node.items()}
    if isinstance(node, list):
        return [_renamed(part) for part in node]
    if isinstance(node, str) and node.endswith(("-Input", "-Output")):
        return node.removesuffix("-Output").replace("-Input", "Param")
    return node


def _complete(document: Schema) -> None:
    """Add to FastAPI's document what it cannot know, and take out what is not so."""
    document["info"]["description"] = DESCRIPTION
    document["tags"] = TAGS
    document["security"] = SECURITY
    components = document["components"]
    components["securitySchemes"] = SECURITY_SCHEMES
    components["headers"] = HEADERS
    components["parameters"] = {"IdempotencyKey": IDEMPOTENCY_KEY}
    components["responses"] = {
        refusal.name: refusal.response for refusal in REFUSALS.values()
    }
    _add_schemas(components["schemas"])
    _drop_null_defaults(components["schemas"])
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            _complete_operation(path, verb, operation)


def _add_schemas(schemas: Schema) -> None:
    # FastAPI's own idea of a refusal; ours are 400 and have the envelope.
    for foreign in ("HTTPValidationError", "ValidationError"):
        schemas.pop(foreign, None)
    for name, kind in _NOT_RETURNED.items():
        schema = TypeAdapter(kind).json_schema(
            mode="serialization", ref_template=_SCHEMA_REF
        )
        for part, of_part in schema.pop("$defs", {}).items():
            schemas.setdefault(part, of_part)
        schemas[name] = schema


def _drop_null_defaults(node: object) -> None:
    # Inside, what was left out is None; on the wire, absent is not null.
    if isinstance(node, dict):
        if "default" in node and node["default"] is None:
            del node["default"]
        for part in node.values():
            _drop_null_defaults(part)
    elif isinstance(node, list):
        for part in node:
            _drop_null_defaults(part)


def _complete_operation(path: str, verb: str, operation: Schema) -> None:
    _split_docstring(operation)
    responses = operation["responses"]
    responses.pop("422", None)
    for parameter in operation.get("parameters", ()):
        _say_absent_not_null(parameter)
    if path.startswith("/v1/"):
        if verb == "post":
            key = _ref("parameters", "IdempotencyKey")
            operation.setdefault("parameters", []).append(key)
        for status in _refusals_of(path, verb, operation):
            responses[str(status)] = _ref("responses", REFUSALS[status].name)
    else:
        operation["security"] = []
    for response in responses.values():
        if "$ref" not in response:
            response.setdefault("headers", {}).update(EVERY_ANSWER)


def _refusals_of(path: str, verb: str, operation: Schema) -> list[int]:
    """The statuses beside 200 that an operation can answer with."""
    has_body = "requestBody" in operation
    statuses = [400, 401, 429, 503]
    if has_body or "{" in path:
        statuses.append(404)  # an id in the path, or one in the body
    if verb == "post":
        statuses.append(409)
    if has_body:
        statuses += [413, 415]
    if operation["operationId"] in UPSTREAM_OPERATIONS:
        statuses.append(502)
    return sorted(statuses)


def _split_docstring(operation: Schema) -> None:
    """The docstring's first line is the summary; what follows, the description."""
    first, _, rest = operation.pop("description", "").partition("\n")
    if first:
        operation["summary"] = first.strip().removesuffix(".")
    if rest.strip():
        operation["description"] = rest.strip()


def _say_absent_not_null(parameter: Schema) -> None:
    # A query can leave a parameter out, but has no null: `after=null` names an id.
    schema = parameter["schema"]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])


def _ref(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}
