"""Every list of the API, with seven things in it that all began in the same instant."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from runtime.assistants.models import Assistant
from runtime.files.models import File
from runtime.ids import new_id
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus, StepType
from runtime.threads.models import Item, ItemStatus, ItemType
from runtime.vector_stores.models import (
    BatchFile,
    FileBatch,
    StoreFile,
    StoreFileStatus,
    VectorStore,
)
from tests.support.make import Make

SIZE = 7
_THEN = datetime(2026, 1, 1, tzinfo=UTC)

Add = Callable[[int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list.

    Attributes:
        ids: what is in it, oldest first.
        add: puts so many more at its young end, in one transaction; their ids.
        delete: the address at which a thing can be deleted so that its place is known
            from then on; None: there is none.
    """

    path: str
    ids: list[str]
    add: Add
    delete: str | None = None


async def _listing(path: str, add: Add, delete: str | None = None) -> Listing:
    return Listing(path, await add(SIZE), add, delete)


async def _store_rows(make: Make, rows: Sequence[Any]) -> list[str]:
    async with make.db.transaction() as session:
        for row in rows:
            session.add(row)
            # Their keys are to rise in the order of the list.
            await session.flush()
    return [row.id for row in rows]


async def assistants(make: Make) -> Listing:
    async def add(count: int) -> list[str]:
        common = {"project_id": make.project.id, "model": "m", "created_at": _THEN}
        return await _store_rows(make, [Assistant(**common) for _ in range(count)])

    return await _listing("/assistants", add, "/assistants")


async def stores(make: Make) -> Listing:
    async def add(count: int) -> list[str]:
        common = {
            "project_id": make.project.id,
            "embedding_model": "m",
            "embedding_dimensions": 0,
            "created_at": _THEN,
        }
        return await _store_rows(make, [VectorStore(**common) for _ in range(count)])

    return await _listing("/vector_stores", add, "/vector_stores")


def _file(make: Make) -> File:
    return File(
        project_id=make.project.id,
        filename="a.txt",
        purpose="assistants",
        media_type="text/plain",
        size_bytes=1,
        sha256="",
        storage_key=new_id("none"),
        created_at=_THEN,
    )


async def files(make: Make) -> Listing:
    async def add(count: int) -> list[str]:
        return await _store_rows(make, [_file(make) for _ in range(count)])

    return await _listing("/files", add, "/files")


async def messages(make: Make) -> Listing:
    thread = await make.thread()
    seqs = iter(range(1, 1_000))

    async def add(count: int) -> list[str]:
        rows = [
            Item(
                project_id=make.project.id,
                # Neither ids nor keys tell the order here: the place in the thread does.
                id=f"msg_{1_000 - seq}_{thread.id}",
                thread_pk=thread.pk,
                seq=seq,
                type=ItemType.MESSAGE,
                role="user",
                status=ItemStatus.COMPLETED,
                body={"content": [], "attachments": []},
                created_at=_THEN,
            )
            for seq in (next(seqs) for _ in range(count))
        ]
        return (await _store_rows(make, rows[::-1]))[::-1]

    path = f"/threads/{thread.id}/messages"
    return await _listing(path, add, path)


async def runs(make: Make) -> Listing:
    thread, assistant = await make.thread(), await make.assistant()

    async def add(count: int) -> list[str]:
        common = {
            "project_id": make.project.id,
            "thread_pk": thread.pk,
            "thread_id": thread.id,
            "assistant_id": assistant.id,
            "model": "m",
            "status": RunStatus.COMPLETED,
            "created_at": _THEN,
        }
        return await _store_rows(make, [Run(**common) for _ in range(count)])

    return await _listing(f"/threads/{thread.id}/runs", add)


async def steps(make: Make) -> Listing:
    run = await make.run(status=RunStatus.COMPLETED)
    places = iter(range(1_000))

    async def add(count: int) -> list[str]:
        rows = [
            RunStep(
                project_id=run.project_id,
                id=f"step_{1_000 - place}_{run.id}",
                run_pk=run.pk,
                idx=place,
                turn=place,
                type=StepType.MESSAGE_CREATION,
                status=StepStatus.COMPLETED,
                created_at=_THEN,
            )
            for place in (next(places) for _ in range(count))
        ]
        return (await _store_rows(make, rows[::-1]))[::-1]

    return await _listing(f"/threads/{run.thread_id}/runs/{run.id}/steps", add)


async def _store_files(make: Make, store: VectorStore, count: int) -> list[StoreFile]:
    own = [_file(make) for _ in range(count)]
    await _store_rows(make, own)
    rows = [
        StoreFile(
            project_id=make.project.id,
            store_pk=store.pk,
            file_pk=file.pk,
            file_id=file.id,
            status=StoreFileStatus.COMPLETED,
            created_at=_THEN,
        )
        for file in own
    ]
    async with make.db.transaction() as session:
        for row in rows:
            session.add(row)
            await session.flush()
    return rows


async def store_files(make: Make) -> Listing:
    store = await make.store()

    async def add(count: int) -> list[str]:
        return [row.file_id for row in await _store_files(make, store, count)]

    return await _listing(f"/vector_stores/{store.id}/files", add)


async def batch_files(make: Make) -> Listing:
    store = await make.store()
    batch = FileBatch(project_id=make.project.id, store_pk=store.pk)
    await _store_rows(make, [batch])

    async def add(count: int) -> list[str]:
        rows = await _store_files(make, store, count)
        async with make.db.transaction() as session:
            await session.execute(
                insert(BatchFile),
                [{"batch_pk": batch.pk, "store_file_pk": row.pk} for row in rows],
            )
        return [row.file_id for row in rows]

    return await _listing(
        f"/vector_stores/{store.id}/file_batches/{batch.id}/files", add
    )


LISTINGS: dict[str, Callable[[Make], Awaitable[Listing]]] = {
    build.__name__: build
    for build in (
        assistants,
        messages,
        runs,
        steps,
        files,
        stores,
        store_files,
        batch_files,
    )
}
