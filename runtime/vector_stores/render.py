"""Vector stores: rows → wire."""

from collections.abc import Sequence
from typing import cast

from runtime.clock import now, unix
from runtime.db.paging import Page
from runtime.vector_stores.counts import Counts
from runtime.vector_stores.models import (
    FileBatch,
    StoreFile,
    StoreFileStatus,
    VectorStore,
)
from runtime.wire.vector_stores import (
    ListVectorStoreFilesResponse,
    StaticChunkingStrategy,
    StaticChunkingStrategyResponseParam,
    VectorStoreExpirationAfter,
    VectorStoreFileBatchObject,
    VectorStoreFileContentPart,
    VectorStoreFileContentResponse,
    VectorStoreFileCounts,
    VectorStoreFileError,
    VectorStoreFileErrorCode,
    VectorStoreFileObject,
    VectorStoreObject,
    VectorStoreStatus,
)

_S = StoreFileStatus


def render_store(store: VectorStore, counts: Counts) -> VectorStoreObject:
    """A store as the API shows it; it is `in_progress` while a file of it is."""
    days = store.expires_after_days
    return VectorStoreObject(
        id=store.id,
        created_at=unix(store.created_at),
        name=store.name,
        description=store.description,
        usage_bytes=counts.usage_bytes,
        file_counts=_render_counts(counts),
        status=_store_status(store, counts),
        last_active_at=unix(store.last_active_at),
        metadata=store.metadata_,
        expires_after=None
        if days is None
        else VectorStoreExpirationAfter(anchor="last_active_at", days=days),
        expires_at=unix(store.expires_at),
    )


def render_store_file(row: StoreFile, store_id: str) -> VectorStoreFileObject:
    """A file of a store as the API shows it."""
    return VectorStoreFileObject(
        id=row.file_id,
        usage_bytes=row.usage_bytes,
        created_at=unix(row.created_at),
        vector_store_id=store_id,
        status=row.status.value,
        last_error=_render_error(row),
        chunking_strategy=StaticChunkingStrategyResponseParam(
            static=StaticChunkingStrategy(
                max_chunk_size_tokens=row.max_chunk_size_tokens,
                chunk_overlap_tokens=row.chunk_overlap_tokens,
            )
        ),
        attributes=row.attributes,
    )


def render_store_files(
    page: Page[StoreFile], store_id: str
) -> ListVectorStoreFilesResponse:
    """A page of the files of a store, or of a batch in it."""
    return ListVectorStoreFilesResponse.of(
        [render_store_file(row, store_id) for row in page.data],
        has_more=page.has_more,
    )


def render_batch(
    batch: FileBatch, store_id: str, counts: Counts
) -> VectorStoreFileBatchObject:
    """A batch as the API shows it; it has `failed` when every file of it has."""
    return VectorStoreFileBatchObject(
        id=batch.id,
        created_at=unix(batch.created_at),
        vector_store_id=store_id,
        status=_batch_status(batch, counts).value,
        file_counts=_render_counts(counts),
    )


def render_text(pieces: Sequence[str]) -> VectorStoreFileContentResponse:
    """The text of a file, in one page of parts."""
    return VectorStoreFileContentResponse(
        data=[VectorStoreFileContentPart(text=piece) for piece in pieces]
    )


def _render_counts(counts: Counts) -> VectorStoreFileCounts:
    return VectorStoreFileCounts(
        in_progress=counts[_S.IN_PROGRESS],
        completed=counts[_S.COMPLETED],
        failed=counts[_S.FAILED],
        cancelled=counts[_S.CANCELLED],
        total=counts.total,
    )


def _render_error(row: StoreFile) -> VectorStoreFileError | None:
    if row.error_code is None:
        return None
    return VectorStoreFileError(
        code=cast(VectorStoreFileErrorCode, row.error_code),
        message=row.error_message or "",
    )


def _store_status(store: VectorStore, counts: Counts) -> VectorStoreStatus:
    if store.expires_at is not None and store.expires_at <= now():
        return "expired"
    return "in_progress" if counts[_S.IN_PROGRESS] else "completed"


def _batch_status(batch: FileBatch, counts: Counts) -> StoreFileStatus:
    if batch.cancelled_at is not None:
        return _S.CANCELLED
    if counts[_S.IN_PROGRESS]:
        return _S.IN_PROGRESS
    every_one_failed = 0 < counts[_S.FAILED] == counts.total
    return _S.FAILED if every_one_failed else _S.COMPLETED
