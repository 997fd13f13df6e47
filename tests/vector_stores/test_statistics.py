"""Lexeme statistics under concurrency: the sums hold and nobody deadlocks."""

import asyncio

from sqlalchemy import select

from runtime.db.transaction import Database
from runtime.vector_stores.models import StoreFile, StoreLexeme, StoreStats
from runtime.vector_stores.removal import delete_file_everywhere, remove_store_files
from tests.support.make import Make


async def test_files_finished_and_removed_at_once_add_up(
    make: Make, db: Database
) -> None:
    stores = [await make.store() for _ in range(2)]
    # The same words in other orders, so that lexemes would be locked crosswise.
    passages = ["moon cheese bread", "bread moon cheese", "cheese bread moon"]
    files = [await make.file() for _ in range(3)]
    for store in stores:
        for file in files:
            await make.store_file(store, *passages, file=file)

    async def detach(store_index: int) -> None:
        async with db.transaction() as session:
            await remove_store_files(
                session,
                (StoreFile.store_pk == stores[store_index].pk)
                & (StoreFile.file_pk == files[1].pk),
            )

    async def delete() -> None:
        async with db.transaction() as session:
            await delete_file_everywhere(session, make.project, files[0].id)

    await asyncio.gather(
        *(make.store_file(store, *passages) for store in stores for _ in range(3)),
        delete(),
        detach(1),
        detach(0),
    )

    # Three files were there, two went, three came: four of three chunks each.
    for store in stores:
        async with db.transaction() as session:
            stats = await session.get_one(StoreStats, store.pk)
            lexemes = list(
                await session.scalars(
                    select(StoreLexeme).where(StoreLexeme.store_pk == store.pk)
                )
            )
        counts = {row.lexeme: row.chunk_count for row in lexemes}
        assert stats.chunk_count == 12
        assert counts == {"moon": 12, "bread": 12, "chees": 12, "cheese": 12}
        assert stats.lexeme_count == sum(counts.values())


async def test_chunks_without_a_single_lexeme_are_counted_too(
    make: Make, db: Database
) -> None:
    store = await make.store()

    await make.store_file(store, "???", "!!!", "moon")

    async with db.transaction() as session:
        stats = await session.get_one(StoreStats, store.pk)
    assert (stats.chunk_count, stats.lexeme_count) == (3, 1)
