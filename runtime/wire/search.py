"""Search in a vector store: the question, the filters over attributes, the answer."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from runtime.wire.base import (
    NonEmptyText,
    NotNull,
    Text,
    WireModel,
    check_json,
    invalid,
)
from runtime.wire.shared import (
    AttributeValue,
    HybridSearchOptions,
    UnitScore,
    VectorStoreFileAttributes,
    is_attribute_value,
)

MAX_SEARCH_QUERIES = 32
MAX_FILTER_DEPTH = 10
MAX_FILTERS = 256

FilterValue = AttributeValue | list[str | int | float]


def _check_filter_value(value: object) -> object:
    if isinstance(value, list):
        fits = all(is_attribute_value(v) and not isinstance(v, bool) for v in value)
    else:
        fits = is_attribute_value(value)
    if not fits:
        raise invalid(
            "A filter's value is a string, a number that fits 64 bits, a boolean,"
            " or a list of strings and numbers."
        )
    return check_json(value)


class ComparisonFilter(WireModel):
    """One attribute against a value; `in` and `nin` take a list of values."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: Text
    value: Annotated[FilterValue, BeforeValidator(_check_filter_value)]

    @model_validator(mode="after")
    def _a_list_for_in(self) -> Self:
        if (self.type in {"in", "nin"}) != isinstance(self.value, list):
            raise invalid(
                "Filters of type 'in' and 'nin' take a list of values, all others one value.",
                at="value",
            )
        return self


class CompoundFilter(WireModel):
    """Filters of which all (`and`) or any (`or`) must hold."""

    type: Literal["and", "or"]
    filters: list["Filters"]


Filters = Annotated[ComparisonFilter | CompoundFilter, Discriminator("type")]
CompoundFilter.model_rebuild()


def _check_filter_size(filters: object) -> object:
    """Bound depth and number before anything walks the filters recursively."""
    waiting: list[tuple[object, int]] = [(filters, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > MAX_FILTER_DEPTH:
            raise invalid(
                f"Filters are nested more than {MAX_FILTER_DEPTH} levels deep."
            )
        if count > MAX_FILTERS:
            raise invalid(f"There are more than {MAX_FILTERS} filters.")
        parts = node.get("filters") if isinstance(node, dict) else None
        if isinstance(parts, list):
            waiting.extend((part, depth + 1) for part in parts)
    return filters


class VectorStoreSearchRankingOptions(WireModel):
    """The score (0 to 1) below which results are dropped, and how they are weighed.

    There is one ranker, whichever is named.
    """

    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: UnitScore = 0
    hybrid_search: NotNull[HybridSearchOptions] = None


def _text_or_list(value: object) -> str | None:
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else None


SearchQueries = Annotated[
    list[NonEmptyText], Field(min_length=1, max_length=MAX_SEARCH_QUERIES)
]


class VectorStoreSearchRequest(WireModel):
    """A question, or several at once, over the files that the filters let through.

    `rewrite_query` is taken and changes nothing: the ranking reads natural language as it
    is, and `search_query` in the answer says which questions were really asked.
    """

    query: Annotated[
        Annotated[NonEmptyText, Tag("text")] | Annotated[SearchQueries, Tag("list")],
        Discriminator(
            _text_or_list,
            custom_error_type="invalid_type",
            custom_error_message="Expected a string or a list of strings.",
        ),
    ]
    rewrite_query: bool = False
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    filters: Annotated[NotNull[Filters], BeforeValidator(_check_filter_size)] = None
    ranking_options: NotNull[VectorStoreSearchRankingOptions] = None


class VectorStoreSearchResultContentObject(WireModel):
    type: Literal["text"] = "text"
    text: str


class VectorStoreSearchResultItem(WireModel):
    """A file that answers the question, with the chunks that do; score is 0 to 1."""

    file_id: str
    filename: str
    score: UnitScore
    attributes: VectorStoreFileAttributes | None
    content: list[VectorStoreSearchResultContentObject]


class VectorStoreSearchResultsPage(WireModel):
    object: Literal["vector_store.search_results.page"] = (
        "vector_store.search_results.page"
    )
    search_query: list[str]
    data: list[VectorStoreSearchResultItem]
    has_more: bool = False
    next_page: str | None = None
