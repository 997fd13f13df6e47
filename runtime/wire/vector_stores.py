"""Vector stores: stores, their files, and batches of files; `search.py` has search."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, model_validator

from runtime.wire.base import NotNull, Omissible, Text, UnixSeconds, WireModel, invalid
from runtime.wire.paging import Listed, Page
from runtime.wire.shared import Metadata, VectorStoreFileAttributes

MAX_STORE_FILE_IDS = 500
MAX_BATCH_FILES = 2_000

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
                "The overlap must not exceed half of 'max_chunk_size_tokens', which is"
                f" {self.max_chunk_size_tokens}.",
                at="chunk_overlap_tokens",
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
            raise invalid("Give either 'file_ids' or 'files', not both.", at="file_ids")
        return self
