"""The same file, cut the same way, in another store: its index is copied, not made anew.

Apps put one file into the stores of many threads; embedding it each time would be 95 %
of the work.
"""

from dataclasses import dataclass

from sqlalchemy import select, text

from runtime.db.transaction import Session
from runtime.vector_stores.models import StoreFile, StoreFileStatus, VectorStore

# One statement, so one snapshot: the other store may be emptied at this moment.
_COPY = text(
    """
    WITH copied AS (
        INSERT INTO chunks (store_pk, store_file_pk, ordinal, content, char_start,
                            char_end, page_from, page_to, page_starts, tokens)
        SELECT :store_pk, :store_file_pk, ordinal, content, char_start,
               char_end, page_from, page_to, page_starts, tokens
        FROM chunks WHERE store_file_pk = :twin_pk ORDER BY ordinal
        RETURNING pk, ordinal
    )
    INSERT INTO windows (store_pk, store_file_pk, chunk_pks, embedding)
    SELECT :store_pk, :store_file_pk,
           array_agg(copied.pk ORDER BY copied.ordinal), windows.embedding
    FROM windows
    CROSS JOIN unnest(windows.chunk_pks) AS of_twin(pk)
    JOIN chunks ON chunks.pk = of_twin.pk
    JOIN copied ON copied.ordinal = chunks.ordinal
    WHERE windows.store_file_pk = :twin_pk
    GROUP BY windows.pk
    ORDER BY windows.pk
    RETURNING pk
    """
)


@dataclass(frozen=True, slots=True)
class Twin:
    """A searchable copy of a file elsewhere in its project."""

    pk: int
    dimensions: int
    usage_bytes: int


async def find_twin(
    session: Session, store_file: StoreFile, store: VectorStore
) -> Twin | None:
    """A store file whose index is what ingestion would make of this one; None: none."""
    # 0: the store is new, and takes whatever length comes first.
    fits = store.embedding_dimensions or VectorStore.embedding_dimensions
    query = (
        select(StoreFile.pk, VectorStore.embedding_dimensions, StoreFile.usage_bytes)
        .join(VectorStore, VectorStore.pk == StoreFile.store_pk)
        .where(
            StoreFile.project_id == store_file.project_id,
            StoreFile.file_pk == store_file.file_pk,
            StoreFile.max_chunk_size_tokens == store_file.max_chunk_size_tokens,
            StoreFile.chunk_overlap_tokens == store_file.chunk_overlap_tokens,
            StoreFile.status == StoreFileStatus.COMPLETED,
            StoreFile.usage_bytes > 0,  # an emptied store's files hold nothing
            VectorStore.embedding_model == store.embedding_model,
            VectorStore.embedding_dimensions > 0,
            VectorStore.embedding_dimensions == fits,
        )
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Twin(*row)


async def copy_twin(session: Session, store_file: StoreFile, twin: Twin) -> bool:
    """Copy a twin's chunks and windows; False, and nothing done, when it is gone."""
    # Skipped when locked: somebody may be deleting it who then waits for our row.
    held = await session.scalar(
        select(StoreFile.pk)
        .where(StoreFile.pk == twin.pk)
        .with_for_update(key_share=True, read=True, skip_locked=True)
    )
    if held is None:
        return False
    windows = await session.execute(
        _COPY,
        {
            "store_pk": store_file.store_pk,
            "store_file_pk": store_file.pk,
            "twin_pk": twin.pk,
        },
    )
    return windows.first() is not None
