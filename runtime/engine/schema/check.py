"""One value against one schema, rule by rule, and counted.

The schema is a caller's and the value a model's, so neither can be trusted to come to
an end: schemas may refer to each other until the sun is cold. Libraries for this have
no place to count at, and use Python's backtracking patterns; hence this one.
"""

import json
import time
from typing import Any

from runtime.engine.schema import structure, values
from runtime.gateway.clean import clean
from runtime.wire.output_schema import Patterns, most_states, referred

Json = dict[str, Any]

# About two seconds. An answer of 100,000 characters takes a tenth of that.
_MOST_STEPS = 500_000
_SECONDS_PER_STEP = 4e-6
_CHARACTERS_PER_STEP = 100

# Characters times states of a pattern: two seconds when it was made to be slow, for which
# no other thread is let in; most patterns take a thousandth of that.
_MOST_OF_ONE_MATCH = 100_000_000
_MOST_CHARACTERS_TOLD = 400

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
        why = Check(schema).why(schema, value, "$")
    except RecursionError as error:
        raise TooMuchWork from error
    return why and clean(why[:_MOST_CHARACTERS_TOLD])


class Check:
    """The work of one check, and how much of it was done."""

    def __init__(self, root: Json) -> None:
        """
        Args:
            root: where references start from.
        """
        self.root = root
        self._patterns = Patterns()
        self._referred: dict[str, Any] = {}
        self._steps = 0.0
        self._choices: dict[int, frozenset[str]] = {}

    def spend(self, steps: float) -> None:
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
            self.spend(1)
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

    def referred(self, reference: str) -> Any:
        """The schema that a `$ref` leads to; looked for once."""
        if reference not in self._referred:
            self._referred[reference] = referred(reference, self.root)
        return self._referred[reference]

    def has_match(self, pattern: str, text: str) -> bool:
        """Whether a pattern matches some part of a text."""
        if len(text) * most_states(pattern) > _MOST_OF_ONE_MATCH:
            raise TooMuchWork
        began = time.monotonic()
        found = self._patterns.has_match(pattern, text)
        self.spend(1 + (time.monotonic() - began) / _SECONDS_PER_STEP)
        return found

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
        if isinstance(value, str):
            self.spend(len(value) / _CHARACTERS_PER_STEP)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, list):
            return [self._plain(part) for part in value]
        if isinstance(value, dict):
            return {key: self._plain(part) for key, part in value.items()}
        return value
