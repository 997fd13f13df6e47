"""One value against one schema, rule by rule, and counted.

The schema is a caller's and the value a model's, so neither can be trusted to come to
an end: schemas may refer to each other until the sun is cold. Libraries for this have
no place to count at, and use Python's backtracking patterns; hence this one.
"""

import json
from typing import Any

from runtime.engine.schema import structure, values
from runtime.wire.output_schema import Patterns

Json = dict[str, Any]

# About two seconds. An answer of 100,000 characters takes a tenth of that.
_MOST_STEPS = 500_000

_RULES = {**values.RULES, **structure.RULES}


class TooMuchWork(Exception):
    """Schema and value together take longer than they may."""


def why_not_allowed(schema: Json, value: Any) -> str | None:
    """Where and why a value is not what a schema allows; None when it is.

    Keywords of draft 7 and of 2020-12 are known, but for `unevaluated…` and
    `$dynamicRef`, which `strict` does not take; `format` is a note to the reader.

    Args:
        schema: as `check_output_schema` lets through with `strict`.
        value: as `json.loads` made it.

    Raises:
        TooMuchWork: it was not found out.
        SchemaRefused: a schema that was not looked at before.
    """
    try:
        return Check(schema).why(schema, value, "$")
    except RecursionError as error:
        raise TooMuchWork from error


class Check:
    """The work of one check, and how much of it was done."""

    def __init__(self, root: Json) -> None:
        """
        Args:
            root: where references start from.
        """
        self.root = root
        self.patterns = Patterns()
        self._steps = 0
        self._choices: dict[int, frozenset[str]] = {}

    def spend(self, steps: int) -> None:
        """Count work.

        Raises:
            TooMuchWork: there has been too much of it.
        """
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise TooMuchWork

    def why(self, schema: Any, value: Any, at: str) -> str | None:
        """The first rule of a schema that the value breaks, told; None: it breaks none."""
        if isinstance(schema, bool):
            return None if schema else f"at {at}: nothing is allowed here"
        self.spend(1 + len(schema))
        for keyword, wanted in schema.items():
            rule = _RULES.get(keyword)
            if rule is not None and (broken := rule(self, wanted, value, schema, at)):
                return broken
        return None

    def fits(self, schema: Any, value: Any, at: str) -> bool:
        """Whether the value breaks no rule of a schema."""
        return self.why(schema, value, at) is None

    def canonical(self, value: Any) -> str:
        """A text that equal values share: 1 equals 1.0 in JSON, and not true."""
        return json.dumps(self._plain(value), sort_keys=True)

    def choices(self, wanted: list[Any]) -> frozenset[str]:
        """The canonical values of an `enum`; made once."""
        if id(wanted) not in self._choices:
            self._choices[id(wanted)] = frozenset(map(self.canonical, wanted))
        return self._choices[id(wanted)]

    def _plain(self, value: Any) -> Any:
        self.spend(1)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, list):
            return [self._plain(part) for part in value]
        if isinstance(value, dict):
            return {key: self._plain(part) for key, part in value.items()}
        return value
