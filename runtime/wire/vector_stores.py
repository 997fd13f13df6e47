"""Vector stores: stores, their files, batches of files, and search.

A little long, because the resource is: one file for one resource is the rule here.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from runtime.wire.base import (
    NonEmptyText,
    NotNull,
    Omissible,
    Text,
    UnixSeconds,
    WireModel,
    check_json,
    invalid,
)
from runtime.wire.paging import Listed, Page
from runtime.wire.shared import (
    AttributeValue,
    Metadata,
    UnitScore,
    VectorStoreFileAttributes,
    is_attribute_value,
)

MAX_STORE_FILE_IDS = 500
MAX_BATCH_FILES = 2_000
MAX_SEARCH_QUERIES = 32
MAX_FILTER_DEPTH = 10
MAX_FILTERS = 256

VectorStoreStatus = Literal["expired", "in_progress", "completed"]
VectorStoreFileStatus = Literal["in_progress", "completed", "cancelled", "failed"]
VectorStoreFileErrorCode = Literal["server_error", "unsupported_file", "invalid_file"]


class StaticChunkingStrategy(WireModel):
    """Chunk size and overlap in tokens; the overlap is at most half of the size."""

    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _overlap_is_at_most_half(self) -> Self:
        if self.chunk_overlap_tokens * 2 > self.max_chunk_size_tokens:
            raise invalid(
                "'chunk_overlap_tokens' must not exceed half of 'max_chunk_size_tokens'."
            )
        return self


class AutoChunkingStrategyRequestParam(WireModel):
    """The server's choice: 800 tokens with an overlap of 400."""

    type: Literal["auto"]


class StaticChunkingStrategyRequestParam(WireModel):
    type: Literal["static"]
    static: StaticChunkingStrategy


class StaticChunkingStrategyResponseParam(WireModel):
    type: Literal["static"] = "static"
    static: StaticChunkingStrategy


class OtherChunkingStrategyResponseParam(WireModel):
    """How a file was chunked is not known."""

    type: Literal["other"] = "other"


ChunkingStrategyRequestParam = Annotated[
    AutoChunkingStrategyRequestParam | StaticChunkingStrategyRequestParam,
    Discriminator("type"),
]
ChunkingStrategyResponse = Annotated[
    StaticChunkingStrategyResponseParam | OtherChunkingStrategyResponseParam,
    Discriminator("type"),
]


class VectorStoreExpirationAfter(WireModel):
    """A store goes so many days after it was last used."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class VectorStoreFileCounts(WireModel):
    """Files of a store or a batch by status; `total` is the sum of the others."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class VectorStoreObject(Listed):
    """A store. `name` is never null on the wire: an unnamed store has ""."""

    object: Literal["vector_store"] = "vector_store"
    created_at: UnixSeconds
    name: str
    usage_bytes: int
    file_counts: VectorStoreFileCounts
    status: VectorStoreStatus
    last_active_at: UnixSeconds | None
    metadata: Metadata
    expires_after: Omissible[VectorStoreExpirationAfter] = None
    expires_at: UnixSeconds | None = None
    # Ours: the official request takes a description, its object forgets it.
    description: Omissible[str] = None


class CreateVectorStoreRequest(WireModel):
    file_ids: NotNull[Annotated[list[Text], Field(max_length=MAX_STORE_FILE_IDS)]] = (
        None
    )
    name: NotNull[Text] = None
    description: NotNull[Text] = None
    expires_after: NotNull[VectorStoreExpirationAfter] = None
    chunking_strategy: NotNull[ChunkingStrategyRequestParam] = None
    metadata: Metadata | None = None


class UpdateVectorStoreRequest(WireModel):
    """Fields left out keep their value; null clears them."""

    name: Text | None = None
    expires_after: VectorStoreExpirationAfter | None = None
    metadata: Metadata | None = None


class DeleteVectorStoreResponse(WireModel):
    id: str
    object: Literal["vector_store.deleted"] = "vector_store.deleted"
    deleted: bool = True


class ListVectorStoresResponse(Page[VectorStoreObject]):
    """Newest first unless asked otherwise."""


class VectorStoreFileError(WireModel):
    """Why a file could not be made searchable."""

    code: VectorStoreFileErrorCode
    message: str


class VectorStoreFileObject(Listed):
    """A file in a store; `id` is the file's own id."""

    object: Literal["vector_store.file"] = "vector_store.file"
    usage_bytes: int
    created_at: UnixSeconds
    vector_store_id: str
    status: VectorStoreFileStatus
    last_error: VectorStoreFileError | None
    chunking_strategy: Omissible[ChunkingStrategyResponse] = None
    attributes: VectorStoreFileAttributes | None = None


class CreateVectorStoreFileRequest(WireModel):
    file_id: Text
    chunking_strategy: NotNull[ChunkingStrategyRequestParam] = None
    attributes: VectorStoreFileAttributes | None = None


class UpdateVectorStoreFileAttributesRequest(WireModel):
    """New attributes for a file, in place of all it had; null clears them."""

    attributes: VectorStoreFileAttributes | None


class DeleteVectorStoreFileResponse(WireModel):
    id: str
    object: Literal["vector_store.file.deleted"] = "vector_store.file.deleted"
    deleted: bool = True


class ListVectorStoreFilesResponse(Page[VectorStoreFileObject]):
    """The files of a store or of a batch."""


class VectorStoreFileContentPart(WireModel):
    type: Literal["text"] = "text"
    text: str


class VectorStoreFileContentResponse(WireModel):
    """The text that was read out of a file."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[VectorStoreFileContentPart]
    has_more: bool = False
    next_page: str | None = None


class VectorStoreFileBatchObject(WireModel):
    """Files added together. The object's name really is `files_batch`."""

    id: str
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: UnixSeconds
    vector_store_id: str
    status: VectorStoreFileStatus
    file_counts: VectorStoreFileCounts


class CreateVectorStoreFileBatchRequest(WireModel):
    """Files by id with settings for all, or each with settings of its own."""

    file_ids: NotNull[
        Annotated[list[Text], Field(min_length=1, max_length=MAX_BATCH_FILES)]
    ] = None
    files: NotNull[
        Annotated[
            list[CreateVectorStoreFileRequest],
            Field(min_length=1, max_length=MAX_BATCH_FILES),
        ]
    ] = None
    chunking_strategy: NotNull[ChunkingStrategyRequestParam] = None
    attributes: VectorStoreFileAttributes | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if (self.file_ids is None) == (self.files is None):
            raise invalid("Give either 'file_ids' or 'files', and not both.")
        return self


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
                "Filters of type 'in' and 'nin' take a list of values, all others one value."
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
    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: UnitScore = 0


def _text_or_list(value: object) -> str | None:
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else None


SearchQueries = Annotated[
    list[NonEmptyText], Field(min_length=1, max_length=MAX_SEARCH_QUERIES)
]


class VectorStoreSearchRequest(WireModel):
    """A question, or several at once, over the files that the filters let through."""

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
