"""The built-in model's answer in the shape of a schema, so that such an app runs, too.

The smallest value that the schema asks for, with the answer as its first text. What takes
more than reading (patterns, conditions) is not tried: the answer then does not fit, and
is judged as any model's is.
"""

from typing import Any

from runtime.wire.output_schema import SchemaRefused, referred

Json = dict[str, Any]

# A schema may contain itself; whoever asks for more gets less.
_DEEPEST = 32
_MOST_ITEMS = 100


def filled(schema: Json, text: str) -> Any:
    """A JSON value for this schema that says this text, where it has room for a text."""
    return _Filling(schema, text).value(schema, 0)


class _Filling:
    def __init__(self, root: Json, text: str) -> None:
        self._root = root
        self._unsaid = text

    def value(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return None
        if isinstance(schema.get("$ref"), str):
            try:
                return self.value(referred(schema["$ref"], self._root), depth + 1)
            except SchemaRefused:
                return None
        if "const" in schema:
            return schema["const"]
        for keyword in ("enum", "anyOf", "oneOf", "allOf"):
            if isinstance(schema.get(keyword), list) and schema[keyword]:
                first = schema[keyword][0]
                return first if keyword == "enum" else self.value(first, depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Json, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        match kind[0] if isinstance(kind, list) and kind else kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                count = min(_number(schema.get("minItems")), _MOST_ITEMS)
                items = schema.get("items", {})
                return [self.value(items, depth + 1) for _ in range(int(count))]
            case "string":
                return self._string(schema)
            case "boolean":
                return False
            case "integer" | "number":
                return _within(schema)
        return None

    def _object(self, schema: Json, depth: int) -> Json:
        properties = schema.get("properties") or {}
        required = schema.get("required") or []
        # In the schema's order, as a model would.
        names = [name for name in properties if name in required]
        names += [name for name in required if name not in properties]
        return {name: self.value(properties.get(name, {}), depth + 1) for name in names}

    def _string(self, schema: Json) -> str:
        text, self._unsaid = self._unsaid, ""
        most = schema.get("maxLength")
        if isinstance(most, int):
            text = text[:most]
        least = min(_number(schema.get("minLength")), len(text) + _MOST_ITEMS)
        return text.ljust(int(least), ".")


def _number(value: object) -> float:
    """A number that a schema names; 0 where it names none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value)


def _within(schema: Json) -> int | float:
    """The number nearest to 0 that is within the bounds, where they are whole."""
    chosen = 0.0
    for keyword, beside in (("minimum", 0), ("exclusiveMinimum", 1)):
        if keyword in schema:
            chosen = max(chosen, _number(schema[keyword]) + beside)
    for keyword, beside in (("maximum", 0), ("exclusiveMaximum", 1)):
        if keyword in schema:
            chosen = min(chosen, _number(schema[keyword]) - beside)
    return int(chosen) if chosen.is_integer() else chosen
