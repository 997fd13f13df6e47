"""Attribute filters → one SQL condition on `store_files`, every value a bound parameter.

A value matches only its own kind: the text "2" is not the number 2, nor is `true` 1.
Numbers compare as numbers (2 is 2.0), texts by the database's collation. An attribute
that is not there equals nothing: `ne` and `nin` hold for it, all others do not.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from runtime.errors import InvalidRequest
from runtime.wire.search import (
    MAX_FILTER_DEPTH,
    ComparisonFilter,
    CompoundFilter,
    Filters,
)

_ORDERINGS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL over a table called `store_files`, and the values of its parameters."""

    sql: str
    values: dict[str, Any]


def condition_of(filters: Filters) -> Condition:
    """The SQL of a filter.

    Raises:
        InvalidRequest: filters nested deeper than the API allows.
    """
    values: dict[str, Any] = {}
    return Condition(_sql(filters, values, count(), MAX_FILTER_DEPTH), values)


def _sql(
    filters: Filters, values: dict[str, Any], numbers: Iterator[int], depth: int
) -> str:
    if depth == 0:
        raise InvalidRequest("The filters are nested too deeply.", param="filters")
    if isinstance(filters, ComparisonFilter):
        return _comparison(filters, values, next(numbers))
    return _compound(filters, values, numbers, depth)


def _compound(
    filters: CompoundFilter, values: dict[str, Any], numbers: Iterator[int], depth: int
) -> str:
    parts = [_sql(part, values, numbers, depth - 1) for part in filters.filters]
    if not parts:  # all of none hold, any of none does not
        return "true" if filters.type == "and" else "false"
    return "(" + f" {filters.type.upper()} ".join(parts) + ")"


def _comparison(
    comparison: ComparisonFilter, values: dict[str, Any], number: int
) -> str:
    key, value = f"filter_key_{number}", f"filter_value_{number}"
    values[key] = comparison.key
    attribute = f"(store_files.attributes -> CAST(:{key} AS text))"
    given = comparison.value
    if isinstance(given, list):
        values[value] = [json.dumps(one) for one in given]
        found = f"coalesce({attribute} = ANY(CAST(:{value} AS jsonb[])), false)"
        return found if comparison.type == "in" else f"NOT {found}"
    values[value] = json.dumps(given)
    bound = f"CAST(:{value} AS jsonb)"
    if comparison.type == "ne":
        return f"{attribute} IS DISTINCT FROM {bound}"
    if comparison.type == "eq":
        return f"coalesce({attribute} = {bound}, false)"
    # jsonb has an order across kinds; we want none.
    return (
        f"(coalesce(jsonb_typeof({attribute}) = jsonb_typeof({bound}), false)"
        f" AND {attribute} {_ORDERINGS[comparison.type]} {bound})"
    )
