"""Finding a store and its files, holding it, keeping it alive: what all begins with."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, func, select, update

from runtime.db.paging import Cursor, Page, fetch_page
from runtime.db.transaction import Session
from runtime.errors import IllegalMove, NotFound
from runtime.projects.models import Project
from runtime.vector_stores.models import StoreFile, StoreFileStatus, VectorStore

# Activity within a minute of the last is not written down: a store's row is no place
# for every search to queue at.
_TOUCH_EVERY = timedelta(minutes=1)


def is_expired() -> ColumnElement[bool]:
    """A condition: the store's time is over, by the database's clock."""
    return func.coalesce(VectorStore.expires_at <= func.now(), False)


async def get_store(session: Session, project: Project, store_id: str) -> VectorStore:
    """A store of this project; an expired one can still be looked at.

    Raises:
        NotFound: there is none.
    """
    store = await session.scalar(
        select(VectorStore).where(
            VectorStore.project_id == project.id,
            VectorStore.id == store_id,
            VectorStore.deleted_at.is_(None),
        )
    )
    if store is None:
        raise NotFound("vector store", store_id)
    return store


async def stores_of_ids(
    session: Session,
    project: Project,
    store_ids: Sequence[str],
    *,
    param: str | None = None,
) -> list[VectorStore]:
    """The stores of these ids, each once, in the order in which they are first named.

    Args:
        param: the request's field that named them, for the error.

    Raises:
        NotFound: one of them is not in this project.
    """
    wanted = list(dict.fromkeys(store_ids))
    if not wanted:
        return []
    found = {
        store.id: store
        for store in await session.scalars(
            select(VectorStore).where(
                VectorStore.project_id == project.id,
                VectorStore.id.in_(wanted),
                VectorStore.deleted_at.is_(None),
            )
        )
    }
    for store_id in wanted:
        if store_id not in found:
            raise NotFound("vector store", store_id, param=param)
    return [found[store_id] for store_id in wanted]


async def lock_open_store(session: Session, store: VectorStore) -> None:
    """Hold a store until this transaction ends: it stays, and others wait to add to it.

    Raises:
        IllegalMove: it has expired.
        NotFound: it was deleted a moment ago.
    """
    expired = await session.scalar(
        select(is_expired())
        .where(VectorStore.pk == store.pk, VectorStore.deleted_at.is_(None))
        .with_for_update(key_share=True)
    )
    if expired is None:
        raise NotFound("vector store", store.id)
    if expired:
        raise IllegalMove(
            f"Vector store '{store.id}' has expired. Create a new one with its files.",
            code="vector_store_expired",
        )


async def touch(session: Session, store: VectorStore) -> None:
    """Note that a store is in use, which puts its expiry off. An expired one stays so."""
    await session.execute(
        update(VectorStore)
        .where(
            VectorStore.pk == store.pk,
            ~is_expired(),
            VectorStore.last_active_at < func.now() - _TOUCH_EVERY,
        )
        .values(
            last_active_at=func.now(),
            # Null stays null.
            expires_at=func.now()
            + func.make_interval(0, 0, 0, VectorStore.expires_after_days),
        )
        .execution_options(synchronize_session=False)
    )


async def fetch_store_files(
    session: Session,
    of_any_status: Select[StoreFile],
    cursor: Cursor,
    status: StoreFileStatus | None,
) -> Page[StoreFile]:
    """A page of some files of a store, perhaps of one status only.

    Raises:
        InvalidRequest: a cursor is not in the list.
    """
    query = of_any_status
    if status is not None:
        query = query.where(StoreFile.status == status)
    return await fetch_page(
        session,
        query,
        cursor,
        id=StoreFile.file_id,
        key=StoreFile.pk,
        # A file may be done since the page before it was fetched.
        places=of_any_status,
    )
