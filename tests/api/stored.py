"""What the tables and the storage hold beneath what the API shows."""

from pathlib import Path

from sqlalchemy import func, select

from runtime.db.transaction import Database
from runtime.files.storage import Storage
from runtime.vector_stores.models import Chunk, StoreLexeme, StoreStats, VectorStore


async def chunk_count(db: Database, store: VectorStore) -> int:
    """How many chunks of a store there are."""
    async with db.transaction() as session:
        count = await session.scalar(
            select(func.count()).select_from(Chunk).where(Chunk.store_pk == store.pk)
        )
    return count or 0


async def statistics(
    db: Database, store: VectorStore
) -> tuple[int, int, dict[str, int]]:
    """Chunks, lexemes over all chunks, and chunks by lexeme."""
    async with db.transaction() as session:
        stats = await session.get(StoreStats, store.pk)
        lexemes = await session.scalars(
            select(StoreLexeme).where(StoreLexeme.store_pk == store.pk)
        )
        by_lexeme = {row.lexeme: row.chunk_count for row in lexemes}
    if stats is None:
        return 0, 0, by_lexeme
    return stats.chunk_count, stats.lexeme_count, by_lexeme


def stored_files(storage: Storage) -> set[Path]:
    """Every file in the storage, of any project."""
    directory = storage._directory
    assert directory is not None
    return {path for path in directory.rglob("*") if path.is_file()}
