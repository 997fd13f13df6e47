"""Vector stores: create, get, list, modify, delete, and keeping them alive.

Their files are in `files.py`, batches of them in `batches.py`, what takes away in
`removal.py`, the ranking in `search.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from runtime.db.paging import Cursor, Page, fetch_page
from runtime.db.transaction import Session
from runtime.projects.models import Project
from runtime.vector_stores.files import add_files
from runtime.vector_stores.lookup import (
    get_store,
    lock_open_store,
    stores_of_ids,
    touch,
)
from runtime.vector_stores.models import StoreFile, VectorStore
from runtime.vector_stores.removal import cancel_ingestion
from runtime.wire.vector_stores import (
    ChunkingStrategyRequestParam,
    UpdateVectorStoreRequest,
)

if TYPE_CHECKING:
    from runtime.gateway import Embedder

__all__ = [
    "add_files",
    "create_store",
    "delete_store",
    "get_store",
    "list_stores",
    "modify_store",
    "set_dimensions",
    "stores_of_ids",
    "touch",
]


async def create_store(
    session: Session,
    project: Project,
    *,
    embedder: "Embedder",
    name: str | None = None,
    description: str | None = None,
    file_ids: Sequence[str] = (),
    chunking: ChunkingStrategyRequestParam | None = None,
    expires_after_days: int | None = None,
    metadata: Mapping[str, str] | None = None,
    param: str = "file_ids",
) -> VectorStore:
    """Create a store, with files if any are named, and ring for their ingestion.

    Args:
        embedder: the process' own; the store keeps to its model.
        chunking: of these files; files added later have their own.
        expires_after_days: after the last activity; None: never.
        param: the request's field that named the files, for the error.

    Raises:
        NotFound: a file is not in this project.
    """
    store = VectorStore(
        project_id=project.id,
        name=name or "",
        description=description,
        metadata_=dict(metadata or {}),
        embedding_model=embedder.model,
        embedding_dimensions=embedder.dimensions or 0,
    )
    session.add(store)
    await session.flush()
    if expires_after_days is not None:
        await _live_on(session, store, expires_after_days)
    await add_files(session, project, store, file_ids, chunking=chunking, param=param)
    return store


async def list_stores(
    session: Session, project: Project, cursor: Cursor
) -> Page[VectorStore]:
    """A page of this project's stores.

    Raises:
        InvalidRequest: a cursor is not in the list.
    """
    ever = select(VectorStore).where(VectorStore.project_id == project.id)
    return await fetch_page(
        session,
        ever.where(VectorStore.deleted_at.is_(None)),
        cursor,
        id=VectorStore.id,
        key=VectorStore.pk,
        places=ever,
    )


async def modify_store(
    session: Session,
    project: Project,
    store_id: str,
    changes: UpdateVectorStoreRequest,
) -> VectorStore:
    """Change what `changes` holds; null clears. A new expiry counts from now.

    Raises:
        NotFound: this project has no such store.
        IllegalMove: it has expired, and no expiry brings its contents back.
    """
    store = await get_store(session, project, store_id)
    fields = changes.model_fields_set
    if "name" in fields:
        store.name = changes.name or ""
    if "metadata" in fields:
        store.metadata_ = dict(changes.metadata or {})
    await session.flush()
    if "expires_after" in fields:
        await lock_open_store(session, store)
        after = changes.expires_after
        await _live_on(session, store, after.days if after else None)
    return store


async def delete_store(session: Session, project: Project, store_id: str) -> None:
    """Delete a store; its files themselves stay.

    The row becomes a tombstone now, what it held goes with the sweeper
    (`removal.expire_stores`): a large store takes longer than a request may.

    Raises:
        NotFound: this project has no such store.
    """
    store = await get_store(session, project, store_id)
    await session.execute(
        update(VectorStore)
        .where(VectorStore.pk == store.pk)
        .values(deleted_at=func.now())
    )
    await cancel_ingestion(session, StoreFile.store_pk == store.pk)


async def set_dimensions(session: Session, store: VectorStore, dimensions: int) -> None:
    """Note how long the store's vectors are, when its first one has come."""
    await session.execute(
        update(VectorStore)
        .where(VectorStore.pk == store.pk, VectorStore.embedding_dimensions == 0)
        .values(embedding_dimensions=dimensions)
    )


async def _live_on(session: Session, store: VectorStore, days: int | None) -> None:
    store.expires_after_days = days
    store.last_active_at = func.now()
    store.expires_at = None if days is None else func.now() + timedelta(days=days)
    await session.flush()
    await session.refresh(store, ["last_active_at", "expires_at"])
