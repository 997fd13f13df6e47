"""Attaching, detaching, modifying and deleting at once: whoever comes late is told so."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from runtime.db.transaction import Database, Session
from runtime.errors import NotFound
from runtime.files.models import File
from runtime.projects.models import Project
from runtime.vector_stores.batches import create_batch
from runtime.vector_stores.files import (
    Attachment,
    modify_store_file,
    remove_store_file,
)
from runtime.vector_stores.models import VectorStore
from runtime.vector_stores.removal import delete_file_everywhere, expire_stores
from runtime.vector_stores.service import delete_store
from tests.support.make import Make

Act = Callable[[Session], Awaitable[object]]


async def test_whoever_comes_late_finds_nothing_and_nobody_breaks(
    make: Make, db: Database
) -> None:
    project, store = make.project, await make.store()
    files = [await make.file() for _ in range(2)]

    def acts(file: File) -> list[Act]:
        return [
            lambda session: _attach(
                session, project, store, [file.id for file in files]
            ),
            lambda session: modify_store_file(
                session, project, store.id, file.id, attributes={"a": "b"}
            ),
            lambda session: remove_store_file(session, project, store.id, file.id),
        ]

    for _ in range(8):
        await asyncio.gather(*(_do(db, act) for file in files for act in acts(file)))
    bury: Act = partial(delete_file_everywhere, project=project, file_id=files[0].id)
    await asyncio.gather(*(_do(db, act) for act in (*acts(files[0]), bury)))


async def test_a_file_is_detached_while_a_batch_names_it(
    make: Make, db: Database
) -> None:
    project, store = make.project, await make.store()
    row = await make.store_file(store, "A passage.")
    file = await make.file()

    async with db.transaction() as session:
        await _attach(session, project, store, [row.file_id])
        detaching = asyncio.create_task(
            _do(db, lambda s: remove_store_file(s, project, store.id, row.file_id))
        )
        done, _ = await asyncio.wait([detaching], timeout=0.2)
        assert not done  # it waits for the batch, whose row it would take away
        await _attach(session, project, store, [file.id])
    await detaching


async def test_stores_are_emptied_while_their_files_are_deleted(
    make: Make, db: Database
) -> None:
    files = [await make.file() for _ in range(6)]
    stores = [await make.store() for _ in range(3)]
    for store in stores:
        for file in files:
            await make.store_file(store, "moon cheese", "bread moon", file=file)
    for store in stores:
        async with db.transaction() as session:
            await delete_store(session, make.project, store.id)

    async def bury(file: File) -> None:
        async with db.transaction() as session:
            await delete_file_everywhere(session, make.project, file.id)

    async def empty() -> None:
        async with db.transaction() as session:
            await expire_stores(session)

    await asyncio.gather(*(empty() for _ in stores), *map(bury, files))


async def _do(db: Database, act: Act) -> None:
    """Be late, if need be; any other error is one."""
    try:
        async with db.transaction() as session:
            await act(session)
    except NotFound:
        pass


async def _attach(
    session: Session, project: Project, store: VectorStore, file_ids: list[str]
) -> None:
    asked = [Attachment(file_id=file_id) for file_id in file_ids]
    await create_batch(session, project, store.id, asked)
