"""Files of a store: attach, list, get, modify, detach, and the text read out of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import func, select

from runtime import jobs
from runtime.db.paging import Cursor, Page
from runtime.db.transaction import Session
from runtime.errors import IllegalMove, NotFound
from runtime.files.service import files_of_ids
from runtime.projects.models import Project
from runtime.vector_stores.lookup import (
    fetch_store_files,
    get_store,
    lock_open_store,
    touch,
)
from runtime.vector_stores.models import (
    Chunk,
    StoreFile,
    StoreFileStatus,
    VectorStore,
)
from runtime.vector_stores.removal import remove_store_files
from runtime.wire.vector_stores import (
    ChunkingStrategyRequestParam,
    CreateVectorStoreFileRequest,
    StaticChunkingStrategyRequestParam,
)

# What `auto` means, and no chunking at all.
DEFAULT_CHUNK_SIZE_TOKENS = 800
DEFAULT_CHUNK_OVERLAP_TOKENS = 400

# Being searched, or on the way there: attaching such a file again changes nothing.
_WELL = frozenset({StoreFileStatus.IN_PROGRESS, StoreFileStatus.COMPLETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that is to be in a store, and how. `attributes` None: as they are, or none."""

    file_id: str
    chunking: ChunkingStrategyRequestParam | None = None
    attributes: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, asked: CreateVectorStoreFileRequest) -> Self:
        """As a request says it."""
        return cls(
            file_id=asked.file_id,
            chunking=asked.chunking_strategy,
            attributes=asked.attributes,
        )

    @property
    def sizes(self) -> tuple[int, int]:
        """Chunk size and overlap, in tokens."""
        if isinstance(self.chunking, StaticChunkingStrategyRequestParam):
            static = self.chunking.static
            return static.max_chunk_size_tokens, static.chunk_overlap_tokens
        return DEFAULT_CHUNK_SIZE_TOKENS, DEFAULT_CHUNK_OVERLAP_TOKENS


async def add_files(
    session: Session,
    project: Project,
    store: VectorStore,
    file_ids: Sequence[str],
    *,
    chunking: ChunkingStrategyRequestParam | None = None,
    attributes: Mapping[str, Any] | None = None,
    param: str = "file_ids",
) -> list[StoreFile]:
    """Attach files, all in the same way; see `attach`."""
    return await attach(
        session,
        project,
        store,
        [
            Attachment(file_id=file_id, chunking=chunking, attributes=attributes)
            for file_id in file_ids
        ],
        param=param,
    )


async def attach(
    session: Session,
    project: Project,
    store: VectorStore,
    attachments: Sequence[Attachment],
    *,
    param: str,
) -> list[StoreFile]:
    """Put files into a store and ring for their ingestion.

    A file that is there already, well and chunked as asked, stays as it is but for its
    attributes. One that failed, was cancelled, or is to be chunked otherwise begins
    anew, as a new row: a worker still busy with the old one can write nothing more.

    Args:
        param: the request's field that named the files, for the error.

    Returns:
        Their rows, each file once, in the order named. Named twice, the last holds.

    Raises:
        NotFound: a file is not in this project.
        IllegalMove: the store has expired.
    """
    if not attachments:
        return []
    await lock_open_store(session, store)
    wanted = {attachment.file_id: attachment for attachment in attachments}
    files = await files_of_ids(session, project, list(wanted), param=param, lock=True)
    kept = await _keep_or_remove(session, store, wanted)
    rows: list[StoreFile] = []
    for file in files:
        attachment = wanted[file.id]
        row = kept.get(file.id)
        if row is None:
            size, overlap = attachment.sizes
            row = StoreFile(
                project_id=project.id,
                store_pk=store.pk,
                file_pk=file.pk,
                file_id=file.id,
                attributes=dict(attachment.attributes or {}),
                max_chunk_size_tokens=size,
                chunk_overlap_tokens=overlap,
            )
            session.add(row)
        elif attachment.attributes is not None:
            row.attributes = dict(attachment.attributes)
        rows.append(row)
    await session.flush()
    await touch(session, store)
    if len(rows) > len(kept):
        jobs.enqueue(session, jobs.INGEST_FILES)
    return rows


async def _keep_or_remove(
    session: Session, store: VectorStore, wanted: Mapping[str, Attachment]
) -> dict[str, StoreFile]:
    # Held, so that what is kept is still there when the caller says so.
    present = list(
        await session.scalars(
            select(StoreFile)
            .where(StoreFile.store_pk == store.pk, StoreFile.file_id.in_(wanted))
            .order_by(StoreFile.pk)
            .with_for_update()
        )
    )
    kept = {
        row.file_id: row
        for row in present
        if row.status in _WELL
        and wanted[row.file_id].sizes
        == (row.max_chunk_size_tokens, row.chunk_overlap_tokens)
    }
    stale = [row.pk for row in present if row.file_id not in kept]
    await remove_store_files(session, StoreFile.pk.in_(stale))
    return kept


async def list_store_files(
    session: Session,
    project: Project,
    store_id: str,
    cursor: Cursor,
    status: StoreFileStatus | None = None,
) -> Page[StoreFile]:
    """A page of a store's files, perhaps of one status only.

    Raises:
        NotFound: this project has no such store.
        InvalidRequest: a cursor is not in the list.
    """
    store = await get_store(session, project, store_id)
    of_any_status = select(StoreFile).where(
        StoreFile.project_id == project.id, StoreFile.store_pk == store.pk
    )
    return await fetch_store_files(session, of_any_status, cursor, status)


async def get_store_file(
    session: Session,
    project: Project,
    store_id: str,
    file_id: str,
    *,
    lock: bool = False,
) -> StoreFile:
    """A file of a store.

    Args:
        lock: keep it there, and unchanged, until this transaction ends.

    Raises:
        NotFound: this project has no such store, or no such file is in it.
    """
    store = await get_store(session, project, store_id)
    query = select(StoreFile).where(
        StoreFile.project_id == project.id,
        StoreFile.store_pk == store.pk,
        StoreFile.file_id == file_id,
    )
    if lock:
        query = query.with_for_update()
    row = await session.scalar(query)
    if row is None:
        raise NotFound("file in this vector store", file_id)
    return row


async def modify_store_file(
    session: Session,
    project: Project,
    store_id: str,
    file_id: str,
    *,
    attributes: Mapping[str, Any] | None,
) -> StoreFile:
    """Give a file new attributes, in place of all it had; None: none.

    Raises:
        NotFound: this project has no such store, or no such file is in it.
    """
    row = await get_store_file(session, project, store_id, file_id, lock=True)
    row.attributes = dict(attributes or {})
    await session.flush()
    return row


async def remove_store_file(
    session: Session, project: Project, store_id: str, file_id: str
) -> None:
    """Take a file out of a store. The file itself stays.

    Raises:
        NotFound: this project has no such store, or no such file is in it.
    """
    row = await get_store_file(session, project, store_id, file_id, lock=True)
    await remove_store_files(session, StoreFile.pk == row.pk)


async def read_text(
    session: Session, project: Project, store_id: str, file_id: str
) -> list[str]:
    """The text that was read out of a file, in pieces that join without overlap.

    Raises:
        NotFound: this project has no such store, or no such file is in it.
        IllegalMove: the file is not, or no longer, searchable.
    """
    row = await get_store_file(session, project, store_id, file_id)
    if row.status is not StoreFileStatus.COMPLETED:
        raise IllegalMove(
            f"File '{file_id}' is {row.status}; its text can be read once it is "
            "completed."
        )
    return [piece async for piece in _pieces(session, row)]


async def _pieces(session: Session, row: StoreFile) -> AsyncIterator[str]:
    chunks = await session.stream(
        select(Chunk.char_start, Chunk.char_end, Chunk.content)
        .where(Chunk.store_file_pk == row.pk)
        .order_by(Chunk.ordinal)
    )
    reached = 0
    async for start, end, content in chunks:
        if end > reached:
            yield content[max(0, reached - start) :]
            reached = end


async def count_in_progress(session: Session) -> int:
    """How many files are being read into stores, in all projects."""
    reading = select(func.count()).where(
        StoreFile.status == StoreFileStatus.IN_PROGRESS
    )
    return await session.scalar(reading) or 0
