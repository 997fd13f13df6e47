"""Rules about the parts of a value, and rules made of other rules."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from runtime.engine.schema.values import Json, Rule, part_of, shown

if TYPE_CHECKING:
    from runtime.engine.schema.check import Check


def _first(broken: Iterable[str | None]) -> str | None:
    return next((why for why in broken if why), None)


def _ref(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    return check.why(check.referred(wanted), value, at)


def _all_of(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    return _first(check.why(schema, value, at) for schema in wanted)


def _any_of(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    if any(check.fits(schema, value, at) for schema in wanted):
        return None
    return f"at {at}: {shown(value)} fits none of the alternatives"


def _one_of(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    fitting = sum(check.fits(schema, value, at) for schema in wanted)
    if fitting == 1:
        return None
    return f"at {at}: {shown(value)} fits {fitting} of the alternatives, not one"


def _not(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    if check.fits(wanted, value, at):
        return f"at {at}: {shown(value)} is what it must not be"
    return None


def _if(check: Check, wanted: Any, value: Any, schema: Json, at: str) -> str | None:
    branch = "then" if check.fits(wanted, value, at) else "else"
    return check.why(schema.get(branch, True), value, at)


def _properties(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    if not isinstance(value, dict):
        return None
    check.spend(len(wanted))
    return _first(
        check.why(schema, value[key], part_of(at, key))
        for key, schema in wanted.items()
        if key in value
    )


def _pattern_properties(
    check: Check, wanted: Any, value: Any, _: Json, at: str
) -> str | None:
    if not isinstance(value, dict):
        return None
    check.spend(len(wanted) * len(value))
    return _first(
        check.why(schema, part, part_of(at, key))
        for pattern, schema in wanted.items()
        for key, part in value.items()
        if check.has_match(pattern, key)
    )


def _additional_properties(
    check: Check, wanted: Any, value: Any, schema: Json, at: str
) -> str | None:
    if not isinstance(value, dict):
        return None
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    check.spend(len(value) * (1 + len(patterns)))
    others = [
        key
        for key in value
        if key not in named
        and not any(check.has_match(pattern, key) for pattern in patterns)
    ]
    if others and wanted is False:
        return f"at {at}: the key {shown(others[0])} is not allowed"
    return _first(check.why(wanted, value[key], part_of(at, key)) for key in others)


def _property_names(
    check: Check, wanted: Any, value: Any, _: Json, at: str
) -> str | None:
    keys = value if isinstance(value, dict) else {}
    return _first(check.why(wanted, key, at) for key in keys)


def _required(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    if not isinstance(value, dict):
        return None
    check.spend(len(wanted))
    return _first(
        f"at {at}: the key {shown(key)} is missing"
        for key in wanted
        if key not in value
    )


def _dependent(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    """What must hold where a key is there: other keys, or a schema."""
    if not isinstance(value, dict):
        return None
    check.spend(len(wanted))
    return _first(
        check.why(
            {"required": needed} if isinstance(needed, list) else needed, value, at
        )
        for key, needed in wanted.items()
        if key in value
    )


def _prefix_items(
    check: Check, wanted: Any, value: Any, _: Json, at: str
) -> str | None:
    parts = value if isinstance(value, list) else []
    return _first(
        check.why(schema, part, f"{at}[{n}]")
        for n, (schema, part) in enumerate(zip(wanted, parts, strict=False))
    )


def _items(check: Check, wanted: Any, value: Any, schema: Json, at: str) -> str | None:
    if isinstance(wanted, list):  # draft 7's way to say `prefixItems`
        return _prefix_items(check, wanted, value, schema, at)
    return _from(check, wanted, value, len(schema.get("prefixItems", ())), at)


def _additional_items(
    check: Check, wanted: Any, value: Any, schema: Json, at: str
) -> str | None:
    first = schema.get("items")
    if not isinstance(first, list):
        return None
    return _from(check, wanted, value, len(first), at)


def _from(check: Check, wanted: Any, value: Any, start: int, at: str) -> str | None:
    # No copy: there may be a thousand alternatives, each with a look at one part.
    parts = islice(value, start, None) if isinstance(value, list) else ()
    return _first(
        check.why(wanted, part, f"{at}[{n}]") for n, part in enumerate(parts, start)
    )


def _contains(
    check: Check, wanted: Any, value: Any, schema: Json, at: str
) -> str | None:
    if not isinstance(value, list):
        return None
    found = sum(check.fits(wanted, part, at) for part in value)
    least, most = schema.get("minContains", 1), schema.get("maxContains", len(value))
    if least <= found <= most:
        return None
    return f"at {at}: {found} items are of the kind that is asked for"


def _unique_items(
    check: Check, wanted: Any, value: Any, _: Json, at: str
) -> str | None:
    if not wanted or not isinstance(value, list):
        return None
    if len({check.canonical(part) for part in value}) == len(value):
        return None
    return f"at {at}: an item is there twice"


RULES: dict[str, Rule] = {
    "$ref": _ref,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "required": _required,
    "dependentRequired": _dependent,
    "dependentSchemas": _dependent,
    "dependencies": _dependent,
    "items": _items,
    "prefixItems": _prefix_items,
    "additionalItems": _additional_items,
    "contains": _contains,
    "uniqueItems": _unique_items,
}
