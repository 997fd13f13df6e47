"""Attribute filters: what they let through, over HTTP's own words."""

from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import select, text

from runtime.db.transaction import Database
from runtime.errors import InvalidRequest
from runtime.vector_stores.filters import condition_of
from runtime.vector_stores.models import StoreFile
from runtime.wire.search import MAX_FILTER_DEPTH, CompoundFilter, Filters
from tests.support.make import Make

FILES: dict[str, dict[str, Any]] = {
    "one": {"year": 2020, "kind": "report", "public": True},
    "two": {"year": 2021.5, "kind": "Report", "public": False},
    "three": {"year": "2020", "kind": "memo"},
    "four": {"it's": "100%'; --"},
    "none": {},
}


def compare(type: str, key: str, value: Any) -> dict[str, Any]:
    return {"type": type, "key": key, "value": value}


async def let_through(make: Make, db: Database, filters: dict[str, Any]) -> set[str]:
    store = await make.store()
    names = {}
    for name, attributes in FILES.items():
        row = await make.store_file(store, attributes=attributes)
        names[row.pk] = name
    condition = condition_of(TypeAdapter(Filters).validate_python(filters))
    query = select(StoreFile.pk).where(
        StoreFile.store_pk == store.pk,
        text(f"({condition.sql})").bindparams(**condition.values),
    )
    async with db.transaction() as session:
        return {names[pk] for pk in await session.scalars(query)}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (compare("eq", "year", 2020), {"one"}),
        (compare("eq", "year", 2020.0), {"one"}),
        (compare("eq", "year", "2020"), {"three"}),
        (compare("eq", "public", True), {"one"}),
        (compare("eq", "public", 1), set()),
        (compare("eq", "kind", "report"), {"one"}),
        (compare("ne", "kind", "report"), {"two", "three", "four", "none"}),
        (compare("gt", "year", 2020), {"two"}),
        (compare("gte", "year", 2020), {"one", "two"}),
        (compare("lt", "year", 2021.5), {"one"}),
        (compare("lte", "year", 2021.5), {"one", "two"}),
        (compare("gte", "year", "2019"), {"three"}),
        (compare("in", "year", [2020, "2020", 7]), {"one", "three"}),
        (compare("in", "year", []), set()),
        (compare("nin", "kind", ["report", "memo"]), {"two", "four", "none"}),
        (compare("nin", "kind", []), set(FILES)),
        (compare("eq", "it's", "100%'; --"), {"four"}),
        (compare("eq", "year'; DROP TABLE files; --", 1), set()),
    ],
)
async def test_a_comparison_lets_through_what_it_says(
    make: Make, db: Database, filters: dict[str, Any], names: set[str]
) -> None:
    assert await let_through(make, db, filters) == names


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (
            {
                "type": "and",
                "filters": [
                    compare("gte", "year", 2020),
                    compare("eq", "public", False),
                ],
            },
            {"two"},
        ),
        (
            {
                "type": "or",
                "filters": [
                    compare("eq", "kind", "memo"),
                    {
                        "type": "and",
                        "filters": [
                            compare("ne", "year", 2020),
                            compare("eq", "public", False),
                        ],
                    },
                ],
            },
            {"two", "three"},
        ),
        ({"type": "and", "filters": []}, set(FILES)),
        ({"type": "or", "filters": []}, set()),
    ],
)
async def test_filters_are_combined(
    make: Make, db: Database, filters: dict[str, Any], names: set[str]
) -> None:
    assert await let_through(make, db, filters) == names


def test_filters_nested_without_end_are_refused() -> None:
    nested: Filters = CompoundFilter(type="and", filters=[])
    for _ in range(MAX_FILTER_DEPTH):
        nested = CompoundFilter(type="or", filters=[nested])

    with pytest.raises(InvalidRequest, match="deeply"):
        condition_of(nested)
