"""The threads of a project, a page at a time: all, some by metadata, some by words."""

from collections.abc import Mapping

from sqlalchemy import select

from runtime.db.paging import Cursor, Page, fetch_page
from runtime.db.transaction import Session
from runtime.projects.models import Project
from runtime.threads.models import Thread
from runtime.threads.search import threads_that_say
from runtime.vector_stores.ranking import PLANNING


async def list_threads(
    session: Session,
    project: Project,
    cursor: Cursor,
    *,
    metadata: Mapping[str, str],
    words: str = "",
) -> Page[Thread]:
    """A page of this project's threads, by when they were made.

    Args:
        metadata: pairs that a thread must have, all of them; none: any thread.
        words: what a message or the title must say (see `search.py`); blank: anything.

    Raises:
        InvalidRequest: the cursor names no thread that is, or was, in the project.
    """
    ever = select(Thread).where(Thread.project_id == project.id)
    query = ever.where(Thread.deleted_at.is_(None))
    if metadata:
        query = query.where(Thread.metadata_.contains(dict(metadata)))
    if words.strip():
        condition = await threads_that_say(session, project, words)
        if condition is None:
            return Page([], has_more=False)
        query = query.where(condition)
    # How many threads fit decides which index is quick, and no two words are alike.
    await session.execute(PLANNING)
    return await fetch_page(
        session, query, cursor, id=Thread.id, key=Thread.pk, places=ever
    )
