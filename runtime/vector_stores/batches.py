"""File batches: files added to a store together, watched and cancelled together."""

from collections.abc import Sequence

from sqlalchemy import func, insert, select

from runtime.db.paging import Cursor, Page
from runtime.db.transaction import Session
from runtime.errors import NotFound
from runtime.projects.models import Project
from runtime.vector_stores.files import Attachment, attach
from runtime.vector_stores.lookup import fetch_store_files, get_store
from runtime.vector_stores.models import (
    BatchFile,
    FileBatch,
    StoreFile,
    StoreFileStatus,
)
from runtime.vector_stores.removal import cancel_ingestion


async def create_batch(
    session: Session,
    project: Project,
    store_id: str,
    attachments: Sequence[Attachment],
    *,
    param: str = "file_ids",
) -> FileBatch:
    """Put files into a store (see `files.attach`) and remember that they came together.

    Args:
        param: the request's field that named the files, for the error.

    Raises:
        NotFound: this project has no such store, or not one of the files.
        IllegalMove: the store has expired.
    """
    store = await get_store(session, project, store_id)
    rows = await attach(session, project, store, attachments, param=param)
    batch = FileBatch(project_id=project.id, store_pk=store.pk)
    session.add(batch)
    await session.flush()
    await session.execute(
        insert(BatchFile),
        [{"batch_pk": batch.pk, "store_file_pk": row.pk} for row in rows],
    )
    return batch


async def get_batch(
    session: Session, project: Project, store_id: str, batch_id: str
) -> FileBatch:
    """A batch of a store.

    Raises:
        NotFound: this project has no such store, or the store no such batch.
    """
    store = await get_store(session, project, store_id)
    batch = await session.scalar(
        select(FileBatch).where(
            FileBatch.project_id == project.id,
            FileBatch.store_pk == store.pk,
            FileBatch.id == batch_id,
        )
    )
    if batch is None:
        raise NotFound("file batch", batch_id)
    return batch


async def cancel_batch(
    session: Session, project: Project, store_id: str, batch_id: str
) -> FileBatch:
    """Stop reading the files of a batch. Those that are done stay; with none left to
    stop, nothing changes.

    Raises:
        NotFound: this project has no such store, or the store no such batch.
    """
    batch = await get_batch(session, project, store_id, batch_id)
    of_batch = select(BatchFile.store_file_pk).where(BatchFile.batch_pk == batch.pk)
    if await cancel_ingestion(session, StoreFile.pk.in_(of_batch)):
        batch.cancelled_at = await session.scalar(select(func.now()))
        await session.flush()
    return batch


async def list_batch_files(
    session: Session,
    project: Project,
    store_id: str,
    batch_id: str,
    cursor: Cursor,
    status: StoreFileStatus | None = None,
) -> Page[StoreFile]:
    """A page of a batch's files, perhaps of one status only.

    Raises:
        NotFound: this project has no such store, or the store no such batch.
        InvalidRequest: a cursor is not in the list.
    """
    batch = await get_batch(session, project, store_id, batch_id)
    of_batch = (
        select(StoreFile)
        .join(BatchFile, BatchFile.store_file_pk == StoreFile.pk)
        .where(StoreFile.project_id == project.id, BatchFile.batch_pk == batch.pk)
    )
    return await fetch_store_files(session, of_batch, cursor, status)
