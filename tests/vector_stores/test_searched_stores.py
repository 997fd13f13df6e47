"""What a search asks of stores, and what it does to them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from runtime.clock import now
from runtime.db.transaction import Database
from runtime.errors import IllegalMove
from runtime.gateway import Gateway
from runtime.vector_stores.models import (
    StoreFile,
    StoreFileStatus,
    VectorStore,
)
from runtime.vector_stores.removal import remove_store_files
from runtime.vector_stores.search import (
    search,
    wait_until_ready,
)
from tests.support.make import Make, new_project
from tests.vector_stores.asking import Ask


async def test_an_empty_store_has_no_hits(ask: Ask, make: Make) -> None:
    assert await ask("anything", await make.store()) == []
    assert await ask("anything") == []


async def test_several_stores_are_searched_as_one(ask: Ask, make: Make) -> None:
    first, second = await make.store(), await make.store()
    file = await make.file("The lighthouse keeper counts ships.")
    passage = "The lighthouse keeper counts ships."
    await make.store_file(first, passage, file=file)
    await make.store_file(second, passage, file=file)
    await make.store_file(second, "The keeper of bees counts hives.")

    hits = await ask("what does the lighthouse keeper count", first, second)

    assert [hit.text for hit in hits] == [passage, "The keeper of bees counts hives."]


async def test_a_file_that_was_removed_is_not_found(
    ask: Ask, make: Make, db: Database
) -> None:
    store = await make.store()
    row = await make.store_file(store, "The secret is under the doormat.")
    assert await ask("where is the secret", store)

    async with db.transaction() as session:
        await remove_store_files(session, StoreFile.pk == row.pk)

    assert await ask("where is the secret", store) == []


async def test_another_projects_store_has_no_hits(
    make: Make, facts: VectorStore, db: Database, gateway: Gateway
) -> None:
    stranger, _ = await new_project(db)

    assert await search(db, gateway, stranger, [facts], "cat") == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"embedding_model": "of-old"}, "embedding_model_changed"),
        ({"embedding_dimensions": 7}, "embedding_model_changed"),
        ({"expires_at": now() - timedelta(days=1)}, "vector_store_expired"),
    ],
)
async def test_a_store_that_cannot_be_searched_says_why(
    ask: Ask, make: Make, fields: dict[str, Any], code: str
) -> None:
    with pytest.raises(IllegalMove) as caught:
        await ask("cat", await make.store(**fields))

    assert caught.value.code == code


async def test_an_expired_store_does_not_spoil_the_others(
    ask: Ask, make: Make, facts: VectorStore
) -> None:
    expired = await make.store(expires_at=now() - timedelta(days=1))

    assert await ask("cat", expired, facts)


async def test_a_search_keeps_a_store_alive(ask: Ask, make: Make, db: Database) -> None:
    long_ago = now() - timedelta(days=2)
    store = await make.store(
        expires_after_days=3,
        last_active_at=long_ago,
        expires_at=long_ago + timedelta(days=3),
    )

    await ask("cat", store)

    async with db.transaction() as session:
        alive = await session.get_one(VectorStore, store.pk)
    assert alive.expires_at is not None
    assert alive.expires_at - now() > timedelta(days=2, hours=23)


async def test_a_search_leaves_the_planner_as_it_was(
    ask: Ask, facts: VectorStore, db: Database
) -> None:
    for _ in range(12):  # psycopg prepares after five, Postgres generalises after five
        await ask("cat", facts)

    async with db.transaction() as session:
        mode = await session.scalar(text("SHOW plan_cache_mode"))
    assert mode == "auto"


async def test_files_that_are_being_read_are_waited_for(
    make: Make, db: Database
) -> None:
    store = await make.store()
    row = await make.store_file(store, status=StoreFileStatus.IN_PROGRESS)
    assert not await wait_until_ready(db, [store], timeout_seconds=0.2)

    waiting = asyncio.create_task(wait_until_ready(db, [store], timeout_seconds=20))
    async with db.transaction() as session:
        await session.execute(
            update(StoreFile)
            .where(StoreFile.pk == row.pk)
            .values(status=StoreFileStatus.FAILED)
        )

    assert await waiting
    assert await wait_until_ready(db, [], timeout_seconds=0)
