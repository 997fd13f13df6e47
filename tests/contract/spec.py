"""The official API description: where it is, what it holds, how it judges a value.

The document stays outside the project. Where it is not at hand, `DOCUMENT` is None, the
tests that need it are skipped, and the types of the official SDK are the contract.
"""

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.contract.slips import correct

Schema = dict[str, Any]

_REF = "#/components/schemas/"
_OURS = ("/assistants", "/threads", "/files", "/uploads", "/vector_stores")
_WORDS_ONLY = {"description", "title", "default", "example", "examples", "format"}


def _find() -> Path | None:
    named = os.environ.get("ASSISTANTS_OPENAPI_SPEC")
    checkout = Path(__file__).resolve().parents[2]
    path = Path(named) if named else checkout.parent / "shared/spec/openapi.json"
    return path if path.is_file() else None


def _load() -> Schema | None:
    path = _find()
    if path is None:
        return None
    document: Schema = json.loads(path.read_text(encoding="utf-8"))
    return document


DOCUMENT = _load()

needs_document = pytest.mark.skipif(
    DOCUMENT is None, reason="the official document is not at hand"
)


@cache
def components() -> dict[str, Schema]:
    """Every schema of the document, corrected, as plain JSON Schema; else {}."""
    if DOCUMENT is None:
        return {}
    schemas = DOCUMENT["components"]["schemas"]
    plain = {name: _plain(schema, name) for name, schema in schemas.items()}
    correct(plain)
    return plain


@cache
def uncorrected() -> dict[str, Schema]:
    """Every schema as the document has it, slips and all, open to keys beyond it."""
    if DOCUMENT is None:
        return {}
    schemas = DOCUMENT["components"]["schemas"]
    return {name: _plain(part, name, closed=False) for name, part in schemas.items()}


def operations() -> set[tuple[str, str]]:
    """(VERB, path) of each official operation of the resources we serve."""
    paths = DOCUMENT["paths"] if DOCUMENT else {}
    return {
        (verb.upper(), path)
        for path, verbs in paths.items()
        for verb in verbs
        if path.startswith(_OURS)
    }


@cache
def asked() -> frozenset[str]:
    """The components that the bodies of our requests are made of."""
    return _reached_from([verb.get("requestBody") for verb in _our_verbs()])


@cache
def answered() -> frozenset[str]:
    """The components that our responses and event streams are made of."""
    streams = {"$ref": f"{_REF}AssistantStreamEvent"}
    return _reached_from([*(verb["responses"] for verb in _our_verbs()), streams])


def _our_verbs() -> list[Schema]:
    paths = DOCUMENT["paths"] if DOCUMENT else {}
    return [
        verb
        for path, verbs in paths.items()
        if path.startswith(_OURS)
        for verb in verbs.values()
    ]


def _reached_from(nodes: list[Any]) -> frozenset[str]:
    waiting, found = list(nodes), set[str]()
    while waiting:
        for name in _refs(waiting.pop()):
            if name not in found and name in components():
                found.add(name)
                waiting.append(components()[name])
    return frozenset(found)


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(_REF)
        for part in node.values():
            yield from _refs(part)
    elif isinstance(node, list):
        for part in node:
            yield from _refs(part)


def _plain(node: Any, component: str, *, closed: bool = True) -> Any:
    """Without the leftovers of OpenAPI 3.0; if `closed`, to keys it does not name too."""

    def plain_part(part: Any) -> Any:
        return _plain(part, component, closed=closed)

    if isinstance(node, list):
        return [plain_part(part) for part in node]
    if not isinstance(node, dict):
        return node
    if "$recursiveRef" in node:
        return {"$ref": f"{_REF}{component}"}
    parts = [
        part for part in node.get("allOf", []) if set(part) - {"nullable", *_WORDS_ONLY}
    ]
    if "allOf" in node and len(parts) == 1:
        # `allOf: [X, {nullable: true}]` means: X or null.
        return {"anyOf": [plain_part(parts[0]), {"type": "null"}]}
    plain: Schema = {}
    for key, value in node.items():
        if key == "properties":
            plain[key] = {name: plain_part(part) for name, part in value.items()}
        elif key not in _WORDS_ONLY | {"nullable", "discriminator"}:
            plain[key] = plain_part(value)
    if "properties" in plain:
        if closed:
            plain.setdefault("additionalProperties", False)
        plain.setdefault("type", "object")
    if plain.get("type") == "array" and "required" in plain:
        # Written beside `items`, where it says nothing; meant of each item.
        plain["items"]["required"] = plain.pop("required")
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") else plain


def validator(component: str) -> Draft202012Validator:
    """Judges values by one component."""
    return Draft202012Validator(
        {"$ref": _REF + component, "components": {"schemas": components()}}
    )
