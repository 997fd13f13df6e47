"""What a `response_format` may ask for: schemas that are valid, and that can be kept.

A schema is a caller's program for our machine: it may point to itself or to the network,
and hold expressions that take years. So each is looked at before it is taken: nothing
is ever fetched, and what `strict` promises must be checkable.
"""

import math
import re
import time
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft7Validator
from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

Json = dict[str, Any]

# OpenAI takes 5,000 properties. To look at so many values takes some tenths of a second.
MAX_SCHEMA_VALUES = 20_000
_PREPARE_SECONDS = 0.3
_MOST_CHARACTERS_SHOWN = 300

_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
# Python's and Rust's way to spread a pattern out, which would hide counts from the above.
_SPREAD_OUT = re.compile(r"\(\?[a-zA-Z-]*x")

# Where a schema holds data that only looks like one.
_DATA = frozenset({"const", "enum", "default", "examples"})
# What these allow depends on how all the others came to their verdict.
_NEVER_STRICT = (
    "unevaluatedProperties",
    "unevaluatedItems",
    "$dynamicRef",
    "$recursiveRef",
)


class SchemaRefused(Exception):
    """A schema that is none, or that could not be kept; the words are for its author."""


def _metaschema() -> Json:
    """Draft 7's, plus the keywords of 2020-12 that hold schemas.

    Callers write a mixture of both and rarely say which. The metaschema of 2020-12
    itself takes ten times as long, for its dynamic references.
    """
    draft7: Json = Draft7Validator.META_SCHEMA
    one: Json = {"$ref": "#"}
    named: Json = {"type": "object", "additionalProperties": one}
    names: Json = {"$ref": "#/definitions/stringArray"}
    count: Json = {"$ref": "#/definitions/nonNegativeInteger"}
    newer = {
        "$defs": named,
        "dependentSchemas": named,
        "dependentRequired": {"type": "object", "additionalProperties": names},
        "prefixItems": {"$ref": "#/definitions/schemaArray"},
        "unevaluatedItems": one,
        "unevaluatedProperties": one,
        "minContains": count,
        "maxContains": count,
    }
    return {**draft7, "properties": {**draft7["properties"], **newer}}


_META = Draft7Validator(_metaschema())


class Patterns:
    """The regular expressions of one schema, each prepared once.

    Python's own engine goes back and tries again, and holds up every other thread while
    it does; pydantic brings one that takes linear time. To prepare a pattern takes it a
    ten-thousandth of a second, and a thousand times as long for one made to.
    """

    def __init__(self) -> None:
        self._ready: dict[str, SchemaValidator] = {}
        self._spent_seconds = 0.0

    def prepare(self, pattern: str) -> SchemaValidator:
        """Make a pattern ready to be matched.

        Raises:
            SchemaRefused: it is no pattern, only going back can match it, or those of
                this schema take too long to prepare.
        """
        if pattern in self._ready:
            return self._ready[pattern]
        if _SPREAD_OUT.search(pattern):
            raise SchemaRefused(f"the pattern '{pattern[:100]}' has an unknown flag")
        if self._spent_seconds > _PREPARE_SECONDS:
            raise SchemaRefused("its patterns are too large, or too many")
        began = time.monotonic()
        try:
            wanted = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
            ready = self._ready[pattern] = SchemaValidator(wanted)
        except SchemaError as error:
            raise SchemaRefused(
                f"the pattern '{pattern[:100]}' is no regular expression, is very large, "
                "or looks around or back, which cannot be kept with 'strict'"
            ) from error
        finally:
            self._spent_seconds += time.monotonic() - began
        return ready

    def has_match(self, pattern: str, text: str) -> bool:
        """Whether a pattern matches some part of a text.

        Raises:
            SchemaRefused: as `prepare`.
        """
        try:
            self.prepare(pattern).validate_python(text)
        except ValidationError:
            return False
        return True


def most_states(pattern: str) -> int:
    """More states than the automaton of a pattern has: at worst, what a character costs.

    As if all its counted repetitions stood within each other.
    """
    counts = (max(int(n or 0) for n in found) for found in _COUNT.findall(pattern))
    written = len(_COUNT.sub("", pattern))
    return written * math.prod(max(1, count) for count in counts)


def check_output_schema(schema: Json, *, strict: bool) -> None:
    """Refuse what is no JSON Schema, and under `strict` what could not be kept.

    Args:
        schema: at most 64 levels deep, which is seen to elsewhere.
        strict: answers are to be checked: each reference must lead somewhere within the
            schema, and each pattern be one that an engine without backtracking knows.

    Raises:
        SchemaRefused: it says where and why.
    """
    if sum(1 for _ in _values(schema)) > MAX_SCHEMA_VALUES:
        raise SchemaRefused(f"it has more than {MAX_SCHEMA_VALUES} values")
    error = next(_META.iter_errors(schema), None)
    if error is not None:
        why = f"at {error.json_path}: {error.message}"
        raise SchemaRefused(why[:_MOST_CHARACTERS_SHOWN])
    if strict:
        patterns = Patterns()
        for node in _schemas(schema):
            _check_strict(node, schema, patterns)


def _check_strict(node: Json, root: Json, patterns: Patterns) -> None:
    for keyword in _NEVER_STRICT:
        if keyword in node:
            raise SchemaRefused(f"'{keyword}' cannot be kept with 'strict'")
    if isinstance(node.get("$ref"), str):
        referred(node["$ref"], root)
    if isinstance(node.get("pattern"), str):
        patterns.prepare(node["pattern"])
    if isinstance(node.get("patternProperties"), dict):
        for pattern in node["patternProperties"]:
            patterns.prepare(pattern)


def referred(reference: str, root: Json) -> Any:
    """The schema that a `$ref` leads to, within the schema it stands in.

    Raises:
        SchemaRefused: it leads nowhere, or outside: nothing is fetched.
    """
    start, _, pointer = reference.partition("#")
    found: Any = None if start or pointer[:1] not in ("", "/") else root
    for part in pointer.split("/")[1:]:
        found = _part(found, part.replace("~1", "/").replace("~0", "~"))
    if not isinstance(found, dict | bool):
        raise SchemaRefused(
            f"the reference '{reference[:100]}' leads to no part of the schema, such as "
            "'#/$defs/name'; nothing is fetched"
        )
    return found


def _part(node: Any, key: str) -> Any:
    if isinstance(node, list):
        # No list has a place with more digits; Python cannot even read some of them.
        is_place = key.isdecimal() and len(key) < 9 and int(key) < len(node)
        return node[int(key)] if is_place else None
    return node.get(key) if isinstance(node, dict) else None


def _schemas(schema: Json) -> Iterator[Json]:
    waiting: list[object] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(part for key, part in node.items() if key not in _DATA)
        elif isinstance(node, list):
            waiting.extend(node)


def _values(value: object) -> Iterator[object]:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
