"""Values around the edges of a JSON Schema, to try a model with."""

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

# Longer lists than this are not built to try a limit out.
_MAX_TRIED_ITEMS = 3_000
# A schema that contains itself (filters) is followed this far.
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value to try, and what was done to it: `tools: item: type: other word`."""

    label: str
    value: Any


class Candidates:
    """Values around the edge of a schema: each limit, word, type and key tried once."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions

    def of(self, schema: Schema, depth: int = 0) -> Iterator[Candidate]:
        """All candidates of a schema: one thing changed at a time."""
        schema = self._resolve(schema)
        yield Candidate("as is", self.example(schema, full=False))
        yield Candidate("null", None)
        variants = _variants(schema)
        if variants:
            if depth < _MAX_DEPTH:
                for variant in variants:
                    if variant != {"type": "null"}:  # tried above
                        yield from self.of(variant, depth + 1)
        elif "enum" in schema:
            yield from (Candidate(f"word {word}", word) for word in schema["enum"])
            yield Candidate("other word", "no such word")
        else:
            yield from getattr(self, f"_{schema.get('type', 'object')}")(schema, depth)

    def example(self, schema: Schema, *, full: bool, depth: int = 0) -> Any:
        """A value the schema allows; `full` has every key it knows."""
        schema = self._resolve(schema)
        variants = [v for v in _variants(schema) if v != {"type": "null"}]
        if variants:
            merged = {**schema, **self._resolve(variants[0])}
            merged.pop("anyOf" if "anyOf" in schema else "oneOf")
            return self.example(merged, full=full, depth=depth + 1)
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "object")
        if kind == "object":
            return self._example_object(schema, full, depth)
        if kind == "array":
            wanted = max(schema.get("minItems", 0), int(full and depth < _MAX_DEPTH))
            item = schema.get("items", {})
            return [
                self.example(item, full=full, depth=depth + 1) for _ in range(wanted)
            ]
        scalars = {"string": "text", "boolean": True, "null": None}
        return scalars.get(kind, schema.get("minimum", 1))

    def _example_object(self, schema: Schema, full: bool, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        names = (
            properties if full and depth < _MAX_DEPTH else schema.get("required", [])
        )
        value = {
            name: self.example(properties[name], full=full, depth=depth + 1)
            for name in names
            if name in properties
        }
        if "url" in value:
            value["url"] = "https://example.com/a.png"
        if (
            not properties
            and full
            and isinstance(schema.get("additionalProperties"), dict)
        ):
            kind = schema["additionalProperties"]
            value["key"] = self.example(kind, full=full, depth=depth + 1)
        return value

    def _resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._definitions[schema["$ref"].rsplit("/", 1)[-1]], **rest}
        return {**schema, "enum": [schema["const"]]} if "const" in schema else schema

    def _object(self, schema: Schema, depth: int) -> Iterator[Candidate]:
        base = self.example(schema, full=False)
        yield Candidate("everything", self.example(schema, full=True))
        yield Candidate("not an object", "text")
        yield Candidate("unknown key", {**base, "no_such_key": 1})
        for name in base:
            yield Candidate(
                f"without {name}", {k: v for k, v in base.items() if k != name}
            )
        if depth >= _MAX_DEPTH:
            return
        for name, part in schema.get("properties", {}).items():
            for inner in self.of(part, depth + 1):
                yield Candidate(f"{name}: {inner.label}", {**base, name: inner.value})
        if not schema.get("properties"):
            yield from self._map(schema, depth)

    def _map(self, schema: Schema, depth: int) -> Iterator[Candidate]:
        kind = schema.get("additionalProperties")
        if isinstance(kind, dict):
            for inner in self.of(kind, depth + 1):
                yield Candidate(f"value: {inner.label}", {"key": inner.value})
            for size in (16, 17):
                pairs = {
                    f"key {n}": self.example(kind, full=False) for n in range(size)
                }
                yield Candidate(f"{size} pairs", pairs)
            for size in (64, 65):
                yield Candidate(
                    f"key of {size}", {"k" * size: self.example(kind, full=False)}
                )

    def _array(self, schema: Schema, depth: int) -> Iterator[Candidate]:
        item = schema.get("items", {})
        yield Candidate("not a list", "text" if "enum" in item else {})
        yield Candidate("empty", [])
        if depth < _MAX_DEPTH:
            for inner in self.of(item, depth + 1):
                yield Candidate(f"item: {inner.label}", [inner.value])
        limit = schema.get("maxItems", math.inf)
        if limit <= _MAX_TRIED_ITEMS:
            one = self.example(item, full=False)
            yield Candidate("at most", [deepcopy(one) for _ in range(limit)])
            yield Candidate("too many", [deepcopy(one) for _ in range(limit + 1)])

    def _string(self, schema: Schema, depth: int) -> Iterator[Candidate]:
        yield Candidate("a number", 5)
        yield Candidate("empty text", "")
        yield Candidate("some text", "a word, ein Wörtchen, 言葉 🙂")
        if "maxLength" in schema:
            yield Candidate("longest", "é" * schema["maxLength"])
            yield Candidate("too long", "é" * (schema["maxLength"] + 1))

    def _number(self, schema: Schema, depth: int) -> Iterator[Candidate]:
        yield Candidate("numeral", "1")
        yield Candidate("true", True)
        low, high = schema.get("minimum"), schema.get("maximum")
        step = 1 if schema["type"] == "integer" else 0.001
        for bound, outward in ((low, -step), (high, step)):
            if bound is not None:
                yield Candidate(f"bound {bound}", bound)
                yield Candidate(f"beyond {bound}", bound + outward)
        yield Candidate("a half more", (low or 0) + 0.5)

    _integer = _number

    def _boolean(self, schema: Schema, depth: int) -> Iterator[Candidate]:
        yield from (
            Candidate(repr(value), value) for value in (True, False, 1, 0, "true")
        )


def _variants(schema: Schema) -> list[Schema]:
    """The branches of a union; `oneOf` that only names required keys is none."""
    branches = schema.get("anyOf") or schema.get("oneOf") or []
    return [branch for branch in branches if set(branch) != {"required"}]
