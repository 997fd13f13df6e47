"""Threads deleted, one or many at once; what runs on them is stopped first."""

from sqlalchemy import Select, select

from runtime.db.paging import Page
from runtime.db.transaction import Session
from runtime.projects.models import Project
from runtime.runs.ending import stop_all
from runtime.threads import service as threads
from runtime.threads.models import Thread
from runtime.threads.service import get_thread
from runtime.wire.threads import MAX_DELETED_THREADS, DeleteThreadsRequest


async def delete_thread(session: Session, project: Project, thread_id: str) -> None:
    """Delete a thread; its live run, and those that wait for it, are stopped first.

    Raises:
        NotFound: this project has no such thread.
    """
    await _delete(session, [await get_thread(session, project, thread_id, lock=True)])


async def delete_threads(
    session: Session, project: Project, body: DeleteThreadsRequest
) -> Page[tuple[str, bool]]:
    """Delete threads, all that one request may or none of them.

    Returns:
        Ids, and whether a thread of that id was deleted now. Named by ids: each of them
        once, in the order given; of another project's it is told no more than of one
        that never was. Found by metadata: the oldest that have them, and whether more do.
    """
    live = select(Thread).where(
        Thread.project_id == project.id, Thread.deleted_at.is_(None)
    )
    if body.thread_ids is not None:
        found = await _locked(session, live.where(Thread.id.in_(body.thread_ids)))
        await _delete(session, found)
        deleted = {thread.id for thread in found}
        told = [(id, id in deleted) for id in dict.fromkeys(body.thread_ids)]
        return Page(told, has_more=False)
    # The one or the other, and not empty: that would be all threads.
    assert body.metadata
    having = live.where(Thread.metadata_.contains(body.metadata))
    found = await _locked(session, having.limit(MAX_DELETED_THREADS + 1))
    has_more = len(found) > MAX_DELETED_THREADS
    found = found[:MAX_DELETED_THREADS]
    await _delete(session, found)
    return Page([(thread.id, True) for thread in found], has_more)


async def _locked(session: Session, query: Select[Thread]) -> list[Thread]:
    # In one order, whoever deletes: two who want the same threads wait for each other
    # and never both at once.
    return list(await session.scalars(query.order_by(Thread.pk).with_for_update()))


async def _delete(session: Session, found: list[Thread]) -> None:
    for thread in found:
        await stop_all(session, thread)
        await threads.delete_thread(session, thread)
