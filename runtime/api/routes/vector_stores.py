"""`/vector_stores`: stores, their files, and batches of files."""

from typing import Annotated

from fastapi import APIRouter, Query

from runtime import db
from runtime.api.deps import CurrentProject, ListCursor, ResourcesDep, Session
from runtime.db.paging import Page
from runtime.vector_stores import batches
from runtime.vector_stores import files as store_files
from runtime.vector_stores import service as stores
from runtime.vector_stores.counts import count_batch, count_files
from runtime.vector_stores.files import Attachment
from runtime.vector_stores.models import (
    FileBatch,
    StoreFile,
    StoreFileStatus,
    VectorStore,
)
from runtime.vector_stores.render import (
    render_batch,
    render_store,
    render_store_file,
    render_text,
)
from runtime.wire.vector_stores import (
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
    DeleteVectorStoreFileResponse,
    DeleteVectorStoreResponse,
    ListVectorStoreFilesResponse,
    ListVectorStoresResponse,
    UpdateVectorStoreFileAttributesRequest,
    UpdateVectorStoreRequest,
    VectorStoreFileBatchObject,
    VectorStoreFileContentResponse,
    VectorStoreFileObject,
    VectorStoreObject,
)

router = APIRouter(prefix="/vector_stores", tags=["vector stores"])

StatusFilter = Annotated[StoreFileStatus | None, Query(alias="filter")]


@router.post("")
async def create_store(
    body: CreateVectorStoreRequest,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
) -> VectorStoreObject:
    """Create a store, with files if any are named."""
    store = await stores.create_store(
        session,
        project,
        embedder=resources.gateway.embedder,
        name=body.name,
        description=body.description,
        file_ids=body.file_ids or [],
        chunking=body.chunking_strategy,
        expires_after_days=body.expires_after.days if body.expires_after else None,
        metadata=body.metadata,
    )
    return await _shown(session, store)


@router.get("")
async def list_stores(
    project: CurrentProject, session: Session, cursor: ListCursor
) -> ListVectorStoresResponse:
    """The project's stores."""
    page = await stores.list_stores(session, project, cursor)
    counts = await count_files(session, page.data)
    return ListVectorStoresResponse.of(
        [render_store(*pair) for pair in zip(page.data, counts, strict=True)],
        has_more=page.has_more,
    )


@router.get("/{vector_store_id}")
async def get_store(
    vector_store_id: str, project: CurrentProject, session: Session
) -> VectorStoreObject:
    """One store."""
    return await _shown(
        session, await stores.get_store(session, project, vector_store_id)
    )


@router.post("/{vector_store_id}")
async def modify_store(
    vector_store_id: str,
    body: UpdateVectorStoreRequest,
    project: CurrentProject,
    session: Session,
) -> VectorStoreObject:
    """Change a store: a field left out stays, null clears it."""
    return await _shown(
        session, await stores.modify_store(session, project, vector_store_id, body)
    )


@router.delete("/{vector_store_id}")
async def delete_store(
    vector_store_id: str, project: CurrentProject, session: Session
) -> DeleteVectorStoreResponse:
    """Delete a store; its files themselves stay."""
    await stores.delete_store(session, project, vector_store_id)
    return DeleteVectorStoreResponse(id=vector_store_id)


@router.post("/{vector_store_id}/files")
async def create_store_file(
    vector_store_id: str,
    body: CreateVectorStoreFileRequest,
    project: CurrentProject,
    session: Session,
) -> VectorStoreFileObject:
    """Put a file into a store."""
    store = await stores.get_store(session, project, vector_store_id)
    [row] = await store_files.attach(
        session, project, store, [_attachment(body)], param="file_id"
    )
    return render_store_file(row, vector_store_id)


@router.get("/{vector_store_id}/files")
async def list_store_files(
    vector_store_id: str,
    project: CurrentProject,
    session: Session,
    cursor: ListCursor,
    status: StatusFilter = None,
) -> ListVectorStoreFilesResponse:
    """The files of a store."""
    page = await store_files.list_store_files(
        session, project, vector_store_id, cursor, status
    )
    return _listed(page, vector_store_id)


@router.get("/{vector_store_id}/files/{file_id}")
async def get_store_file(
    vector_store_id: str, file_id: str, project: CurrentProject, session: Session
) -> VectorStoreFileObject:
    """One file of a store."""
    row = await store_files.get_store_file(session, project, vector_store_id, file_id)
    return render_store_file(row, vector_store_id)


@router.post("/{vector_store_id}/files/{file_id}")
async def modify_store_file(
    vector_store_id: str,
    file_id: str,
    body: UpdateVectorStoreFileAttributesRequest,
    project: CurrentProject,
    session: Session,
) -> VectorStoreFileObject:
    """Give a file new attributes."""
    row = await store_files.modify_store_file(
        session, project, vector_store_id, file_id, attributes=body.attributes
    )
    return render_store_file(row, vector_store_id)


@router.delete("/{vector_store_id}/files/{file_id}")
async def delete_store_file(
    vector_store_id: str, file_id: str, project: CurrentProject, session: Session
) -> DeleteVectorStoreFileResponse:
    """Take a file out of a store; the file itself stays."""
    await store_files.remove_store_file(session, project, vector_store_id, file_id)
    return DeleteVectorStoreFileResponse(id=file_id)


@router.get("/{vector_store_id}/files/{file_id}/content")
async def read_store_file(
    vector_store_id: str, file_id: str, project: CurrentProject, session: Session
) -> VectorStoreFileContentResponse:
    """The text that was read out of a file."""
    return render_text(
        await store_files.read_text(session, project, vector_store_id, file_id)
    )


@router.post("/{vector_store_id}/file_batches")
async def create_batch(
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
    return await _shown_batch(session, batch, vector_store_id)


@router.get("/{vector_store_id}/file_batches/{batch_id}")
async def get_batch(
    vector_store_id: str, batch_id: str, project: CurrentProject, session: Session
) -> VectorStoreFileBatchObject:
    """One batch."""
    batch = await batches.get_batch(session, project, vector_store_id, batch_id)
    return await _shown_batch(session, batch, vector_store_id)


@router.post("/{vector_store_id}/file_batches/{batch_id}/cancel")
async def cancel_batch(
    vector_store_id: str, batch_id: str, project: CurrentProject, session: Session
) -> VectorStoreFileBatchObject:
    """Stop reading the files of a batch."""
    batch = await batches.cancel_batch(session, project, vector_store_id, batch_id)
    return await _shown_batch(session, batch, vector_store_id)


@router.get("/{vector_store_id}/file_batches/{batch_id}/files")
async def list_batch_files(
    vector_store_id: str,
    batch_id: str,
    project: CurrentProject,
    session: Session,
    cursor: ListCursor,
    status: StatusFilter = None,
) -> ListVectorStoreFilesResponse:
    """The files of a batch."""
    page = await batches.list_batch_files(
        session, project, vector_store_id, batch_id, cursor, status
    )
    return _listed(page, vector_store_id)


async def _shown(session: db.Session, store: VectorStore) -> VectorStoreObject:
    [counts] = await count_files(session, [store])
    return render_store(store, counts)


async def _shown_batch(
    session: db.Session, batch: FileBatch, store_id: str
) -> VectorStoreFileBatchObject:
    return render_batch(batch, store_id, await count_batch(session, batch))


def _listed(page: Page[StoreFile], store_id: str) -> ListVectorStoreFilesResponse:
    return ListVectorStoreFilesResponse.of(
        [render_store_file(row, store_id) for row in page.data],
        has_more=page.has_more,
    )


def _attachment(asked: CreateVectorStoreFileRequest) -> Attachment:
    return Attachment(
        file_id=asked.file_id,
        chunking=asked.chunking_strategy,
        attributes=asked.attributes,
    )


def _attachments(asked: CreateVectorStoreFileBatchRequest) -> list[Attachment]:
    if asked.files is not None:
        return [_attachment(file) for file in asked.files]
    return [
        Attachment(
            file_id=file_id,
            chunking=asked.chunking_strategy,
            attributes=asked.attributes,
        )
        for file_id in asked.file_ids or []
    ]
