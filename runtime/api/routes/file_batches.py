"""`/vector_stores/{id}/file_batches`: files added to a store together."""

from fastapi import Response

from runtime import db
from runtime.api.deps import CurrentProject, ListCursor, Session, StoreFileFilter
from runtime.api.polling import poll_soon
from runtime.api.router import Router
from runtime.vector_stores import batches
from runtime.vector_stores.counts import count_batch
from runtime.vector_stores.files import Attachment
from runtime.vector_stores.models import FileBatch
from runtime.vector_stores.render import render_batch, render_store_files
from runtime.wire.vector_stores import (
    CreateVectorStoreFileBatchRequest,
    ListVectorStoreFilesResponse,
    VectorStoreFileBatchObject,
)

router = Router(
    prefix="/vector_stores/{vector_store_id}/file_batches", tags=["vector stores"]
)


@router.post("")
async def create_vector_store_file_batch(
    vector_store_id: str,
    body: CreateVectorStoreFileBatchRequest,
    project: CurrentProject,
    session: Session,
) -> VectorStoreFileBatchObject:
    """Put files into a store together."""
    batch = await batches.create_batch(
        session,
        project,
        vector_store_id,
        _attachments(body),
        param="files" if body.file_ids is None else "file_ids",
    )
    return await _shown(session, batch, vector_store_id)


@router.get("/{batch_id}")
async def get_vector_store_file_batch(
    vector_store_id: str,
    batch_id: str,
    project: CurrentProject,
    session: Session,
    response: Response,
) -> VectorStoreFileBatchObject:
    """One batch."""
    batch = await batches.get_batch(session, project, vector_store_id, batch_id)
    shown = await _shown(session, batch, vector_store_id)
    if shown.file_counts.in_progress:
        poll_soon(response, batch.created_at)
    return shown


@router.post("/{batch_id}/cancel")
async def cancel_vector_store_file_batch(
    vector_store_id: str, batch_id: str, project: CurrentProject, session: Session
) -> VectorStoreFileBatchObject:
    """Stop reading the files of a batch."""
    batch = await batches.cancel_batch(session, project, vector_store_id, batch_id)
    return await _shown(session, batch, vector_store_id)


@router.get("/{batch_id}/files")
async def list_files_in_vector_store_batch(
    vector_store_id: str,
    batch_id: str,
    project: CurrentProject,
    session: Session,
    cursor: ListCursor,
    status: StoreFileFilter = None,
) -> ListVectorStoreFilesResponse:
    """The files of a batch."""
    page = await batches.list_batch_files(
        session, project, vector_store_id, batch_id, cursor, status
    )
    return render_store_files(page, vector_store_id)


async def _shown(
    session: db.Session, batch: FileBatch, store_id: str
) -> VectorStoreFileBatchObject:
    return render_batch(batch, store_id, await count_batch(session, batch))


def _attachments(asked: CreateVectorStoreFileBatchRequest) -> list[Attachment]:
    if asked.files is not None:
        return [Attachment.of(file) for file in asked.files]
    return [
        Attachment(
            file_id=file_id,
            chunking=asked.chunking_strategy,
            attributes=asked.attributes,
        )
        for file_id in asked.file_ids or []
    ]
