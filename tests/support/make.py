"""Committed rows with good defaults: what a test begins with, in one line.

    store = await make.store()
    await make.store_file(store, "The moon is made of basalt.")

Rows belong to the test's own project unless `project` says otherwise.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import insert

from runtime.assistants.models import Assistant
from runtime.db.transaction import Database, Session
from runtime.files.models import File
from runtime.files.service import store_file
from runtime.files.storage import Storage
from runtime.gateway import Embedder
from runtime.ids import new_id
from runtime.projects.models import Project
from runtime.projects.service import create_key, create_project
from runtime.runs.lifecycle import LIVE
from runtime.runs.models import Run, RunStatus
from runtime.threads.models import Item, ItemStatus, ItemType, Thread
from runtime.vector_stores.models import (
    Chunk,
    StoreFile,
    StoreFileStatus,
    VectorStore,
    Window,
)
from runtime.vector_stores.statistics import add_statistics

R = TypeVar("R")


async def new_project(db: Database) -> tuple[Project, str]:
    """A project of one's own, and a key that opens it."""
    async with db.transaction() as session:
        project = await create_project(session, new_id("test"))
        _, secret = await create_key(session, project)
    return project, secret


class Make:
    """Makes rows for one project."""

    def __init__(
        self, db: Database, project: Project, storage: Storage, embedder: Embedder
    ) -> None:
        self.db = db
        self.project = project
        self._storage = storage
        self._embedder = embedder

    async def file(
        self,
        content: bytes | str = "Some notes.\n",
        *,
        filename: str = "notes.txt",
        purpose: str = "assistants",
        project: Project | None = None,
    ) -> File:
        """A file with its bytes in storage."""
        data = content.encode() if isinstance(content, str) else content
        async with self.db.unit() as unit:
            return await store_file(
                unit,
                project or self.project,
                self._storage,
                filename=filename,
                purpose=purpose,
                blocks=_one_block(data),
            )

    async def store(
        self, *, project: Project | None = None, **fields: Any
    ) -> VectorStore:
        """An empty vector store."""
        row = VectorStore(
            **{
                "project_id": (project or self.project).id,
                "embedding_model": self._embedder.model,
                "embedding_dimensions": self._embedder.dimensions or 0,
                **fields,
            }
        )
        return await self._kept(row)

    async def store_file(
        self,
        store: VectorStore,
        *passages: str,
        status: StoreFileStatus = StoreFileStatus.COMPLETED,
        file: File | None = None,
        **fields: Any,
    ) -> StoreFile:
        """A file in a store; each passage is a chunk of it, embedded as one window."""
        file = file or await self.file("".join(passages) or "Some notes.\n")
        vectors: Any = await self._embedder.embed(passages) if passages else []
        async with self.db.transaction() as session:
            row = StoreFile(
                **{
                    "project_id": store.project_id,
                    "store_pk": store.pk,
                    "file_pk": file.pk,
                    "file_id": file.id,
                    "status": status,
                    **fields,
                }
            )
            session.add(row)
            await session.flush()
            await _add_chunks(session, row, passages, vectors)
        return row

    async def assistant(self, **fields: Any) -> Assistant:
        """An assistant without tools."""
        row = Assistant(**{"project_id": self.project.id, "model": "builtin", **fields})
        return await self._kept(row)

    async def thread(self, **fields: Any) -> Thread:
        """An empty thread."""
        return await self._kept(Thread(**{"project_id": self.project.id, **fields}))

    async def message(
        self, thread: Thread, text: str = "Hello.", *, role: str = "user", **fields: Any
    ) -> Item:
        """A message at the end of a thread."""
        part = {"type": "text", "text": text, "annotations": []}
        async with self.db.transaction() as session:
            row = await session.get_one(Thread, thread.pk, with_for_update=True)
            item = Item(
                **{
                    "project_id": row.project_id,
                    "id": new_id("msg"),
                    "thread_pk": row.pk,
                    "seq": row.take_seq(),
                    "type": ItemType.MESSAGE,
                    "role": role,
                    "status": ItemStatus.COMPLETED,
                    "body": {"content": [part], "attachments": []},
                    **fields,
                }
            )
            session.add(item)
        return item

    async def run(
        self,
        thread: Thread | None = None,
        *,
        assistant: Assistant | None = None,
        status: RunStatus = RunStatus.QUEUED,
        **fields: Any,
    ) -> Run:
        """A run in any state, of which its thread knows; nobody is told to drive it.

        With `waits_for_thread` and `run_seconds` it waits behind the live one.
        """
        thread = thread or await self.thread()
        assistant = assistant or await self.assistant()
        async with self.db.transaction() as session:
            row = Run(
                **{
                    "project_id": self.project.id,
                    "thread_pk": thread.pk,
                    "thread_id": thread.id,
                    "assistant_id": assistant.id,
                    "model": assistant.model,
                    "instructions": assistant.instructions or "",
                    "tools": assistant.tools,
                    "status": status,
                    **fields,
                }
            )
            session.add(row)
            await session.flush()
            if status in LIVE and not row.waits_for_thread:
                on = await session.get_one(Thread, thread.pk)
                on.active_run_id = row.id
        return row

    async def _kept(self, row: R) -> R:
        async with self.db.transaction() as session:
            session.add(row)
        return row


async def _add_chunks(
    session: Session, row: StoreFile, passages: Sequence[str], vectors: Any
) -> None:
    start = 0
    for ordinal, (passage, vector) in enumerate(zip(passages, vectors, strict=True)):
        end = start + len(passage)
        chunk = Chunk(
            store_pk=row.store_pk,
            store_file_pk=row.pk,
            ordinal=ordinal,
            content=passage,
            char_start=start,
            char_end=end,
            tokens=max(1, len(passage) // 4),
        )
        session.add(chunk)
        await session.flush()
        await session.execute(
            insert(Window).values(
                store_pk=row.store_pk,
                store_file_pk=row.pk,
                chunk_pks=[chunk.pk],
                embedding=vector,
            )
        )
        start = end
    if passages:
        await add_statistics(session, row.pk)


async def _one_block(data: bytes) -> AsyncIterator[bytes]:
    yield data
