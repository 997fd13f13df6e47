"""Rules about a value by itself: its type, its size, what it may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, DecimalException
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.engine.schema.check import Check

Json = dict[str, Any]

Rule = Callable[["Check", Any, Any, Json, str], str | None]
"""(check, what the keyword wants, value, schema around it, place) → what is broken."""

_MOST_CHARACTERS_SHOWN = 80
_MOST_CHOICES_SHOWN = 20


def shown(value: Any) -> str:
    """A value as a sentence may quote it; however large it is, at no cost."""
    match value:
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
        case str():
            text = json.dumps(_start(value), ensure_ascii=False)
        case _:
            text = json.dumps(value)
    return _start(text)


def part_of(at: str, key: str) -> str:
    """The place of what stands under a key."""
    return f"{at}.{_start(key)}"


def _start(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS_SHOWN:
        return text
    return text[: _MOST_CHARACTERS_SHOWN - 1] + "…"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": _is_whole,
}


def _type(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    names = [wanted] if isinstance(wanted, str) else wanted
    if any(_TYPES[name](value) for name in names):
        return None
    return f"at {at}: {shown(value)} is not of type {' or '.join(names)}"


def _enum(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    if check.canonical(value) in check.choices(wanted):
        return None
    choices = ", ".join(map(shown, wanted[:_MOST_CHOICES_SHOWN]))
    return f"at {at}: {shown(value)} is none of {choices}"


def _const(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    if check.canonical(value) == check.canonical(wanted):
        return None
    return f"at {at}: {shown(value)} is not {shown(wanted)}"


def _pattern(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
    if not isinstance(value, str):
        return None
    if check.has_match(wanted, value):
        return None
    return f"at {at}: {shown(value)} does not match '{wanted[:100]}'"


def _bound(
    size: Callable[[Any], Any], holds: Callable[[Any, Any], bool], words: str
) -> Rule:
    """A rule about a size; None is the size of what the rule does not speak of."""

    def rule(check: Check, wanted: Any, value: Any, _: Json, at: str) -> str | None:
        measured = size(value)
        if measured is None or holds(measured, wanted):
            return None
        return f"at {at}: {shown(value)} {words} {wanted}"

    return rule


def _itself(value: Any) -> Any:
    return value if _is_number(value) else None


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str) else None


def _items(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _keys(value: Any) -> int | None:
    return len(value) if isinstance(value, dict) else None


def _is_multiple(value: Any, step: Any) -> bool:
    try:
        return Decimal(str(value)) % Decimal(str(step)) == 0
    except DecimalException:
        return True  # magnitudes so far apart that nobody can tell


def _at_least(size: Any, bound: Any) -> bool:
    return bool(size >= bound)


def _at_most(size: Any, bound: Any) -> bool:
    return bool(size <= bound)


RULES: dict[str, Rule] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minimum": _bound(_itself, _at_least, "is less than"),
    "maximum": _bound(_itself, _at_most, "is more than"),
    "exclusiveMinimum": _bound(_itself, lambda a, b: a > b, "is not more than"),
    "exclusiveMaximum": _bound(_itself, lambda a, b: a < b, "is not less than"),
    "multipleOf": _bound(_itself, _is_multiple, "is no multiple of"),
    "minLength": _bound(_length, _at_least, "is shorter than"),
    "maxLength": _bound(_length, _at_most, "is longer than"),
    "minItems": _bound(_items, _at_least, "has fewer items than"),
    "maxItems": _bound(_items, _at_most, "has more items than"),
    "minProperties": _bound(_keys, _at_least, "has fewer keys than"),
    "maxProperties": _bound(_keys, _at_most, "has more keys than"),
}
