"""`/vector_stores`: stores, their files, and search. Batches: `file_batches.py`."""

from fastapi import Response

from runtime import db
from runtime.api.deps import (
    CurrentProject,
    ListCursor,
    ResourcesDep,
    Session,
    StoreFileFilter,
)
from runtime.api.polling import poll_soon
from runtime.api.router import Router
from runtime.vector_stores import files as store_files
from runtime.vector_stores import service as stores
from runtime.vector_stores.counts import count_files
from runtime.vector_stores.files import Attachment
from runtime.vector_stores.hits import render_hits
from runtime.vector_stores.models import StoreFileStatus, VectorStore
from runtime.vector_stores.render import (
    render_store,
    render_store_file,
    render_store_files,
    render_text,
)
from runtime.vector_stores.search import RankingOptions, search
from runtime.wire.search import (
    VectorStoreSearchRankingOptions,
    VectorStoreSearchRequest,
    VectorStoreSearchResultsPage,
)
from runtime.wire.vector_stores import (
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
    DeleteVectorStoreFileResponse,
    DeleteVectorStoreResponse,
    ListVectorStoreFilesResponse,
    ListVectorStoresResponse,
    UpdateVectorStoreFileAttributesRequest,
    UpdateVectorStoreRequest,
    VectorStoreFileContentResponse,
    VectorStoreFileObject,
    VectorStoreObject,
)

router = Router(prefix="/vector_stores", tags=["vector stores"])


@router.post("")
async def create_vector_store(
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
async def list_vector_stores(
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
async def get_vector_store(
    vector_store_id: str, project: CurrentProject, session: Session
) -> VectorStoreObject:
    """One store."""
    return await _shown(
        session, await stores.get_store(session, project, vector_store_id)
    )


@router.post("/{vector_store_id}")
async def modify_vector_store(
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
async def delete_vector_store(
    vector_store_id: str, project: CurrentProject, session: Session
) -> DeleteVectorStoreResponse:
    """Delete a store; its files themselves stay."""
    await stores.delete_store(session, project, vector_store_id)
    return DeleteVectorStoreResponse(id=vector_store_id)


@router.post("/{vector_store_id}/files")
async def create_vector_store_file(
    vector_store_id: str,
    body: CreateVectorStoreFileRequest,
    project: CurrentProject,
    session: Session,
) -> VectorStoreFileObject:
    """Put a file into a store."""
    store = await stores.get_store(session, project, vector_store_id)
    [row] = await store_files.attach(
        session, project, store, [Attachment.of(body)], param="file_id"
    )
    return render_store_file(row, vector_store_id)


@router.get("/{vector_store_id}/files")
async def list_vector_store_files(
    vector_store_id: str,
    project: CurrentProject,
    session: Session,
    cursor: ListCursor,
    status: StoreFileFilter = None,
) -> ListVectorStoreFilesResponse:
    """The files of a store."""
    page = await store_files.list_store_files(
        session, project, vector_store_id, cursor, status
    )
    return render_store_files(page, vector_store_id)


@router.get("/{vector_store_id}/files/{file_id}")
async def get_vector_store_file(
    vector_store_id: str,
    file_id: str,
    project: CurrentProject,
    session: Session,
    response: Response,
) -> VectorStoreFileObject:
    """One file of a store."""
    row = await store_files.get_store_file(session, project, vector_store_id, file_id)
    if row.status is StoreFileStatus.IN_PROGRESS:
        poll_soon(response, row.created_at)
    return render_store_file(row, vector_store_id)


@router.post("/{vector_store_id}/files/{file_id}")
async def update_vector_store_file_attributes(
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
async def delete_vector_store_file(
    vector_store_id: str, file_id: str, project: CurrentProject, session: Session
) -> DeleteVectorStoreFileResponse:
    """Take a file out of a store; the file itself stays."""
    await store_files.remove_store_file(session, project, vector_store_id, file_id)
    return DeleteVectorStoreFileResponse(id=file_id)


@router.get("/{vector_store_id}/files/{file_id}/content")
async def retrieve_vector_store_file_content(
    vector_store_id: str, file_id: str, project: CurrentProject, session: Session
) -> VectorStoreFileContentResponse:
    """The text that was read out of a file."""
    return render_text(
        await store_files.read_text(session, project, vector_store_id, file_id)
    )


@router.post("/{vector_store_id}/search")
async def search_vector_store(
    vector_store_id: str,
    body: VectorStoreSearchRequest,
    project: CurrentProject,
    resources: ResourcesDep,
) -> VectorStoreSearchResultsPage:
    """Find the chunks that answer a question best."""
    async with resources.db.transaction() as session:
        store = await stores.get_store(session, project, vector_store_id)
    options = body.ranking_options
    hits = await search(
        resources.db,
        resources.gateway,
        project,
        [store],
        body.query,
        max_num_results=body.max_num_results,
        filters=body.filters,
        ranking=_ranking(options) if options else None,
    )
    return render_hits(body.query, hits)


def _ranking(options: VectorStoreSearchRankingOptions) -> RankingOptions:
    weights = options.hybrid_search.model_dump() if options.hybrid_search else {}
    return RankingOptions(score_threshold=options.score_threshold, **weights)


async def _shown(session: db.Session, store: VectorStore) -> VectorStoreObject:
    [counts] = await count_files(session, [store])
    return render_store(store, counts)
