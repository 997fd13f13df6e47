"""`/threads` as a whole: list and search them, delete many. OpenAI's API has neither.

This file's name sorts before `threads`, and so do its addresses: `/threads/{thread_id}`
would take `delete` for an id.
"""

from typing import Annotated

from fastapi import Query

from runtime.api import metadata
from runtime.api.deps import CurrentProject, ListCursor, Session
from runtime.api.metadata import MetadataFilter
from runtime.api.router import Router
from runtime.runs import removal
from runtime.threads import lists
from runtime.threads.render import render_thread
from runtime.wire.base import Text
from runtime.wire.threads import (
    DeleteThreadResponse,
    DeleteThreadsRequest,
    DeleteThreadsResponse,
    ListThreadsResponse,
)

router = Router(prefix="/threads", tags=["threads"])

_MAX_QUERY_CHARS = 512


@router.get("", openapi_extra=metadata.PUBLISHED)
async def list_threads(
    cursor: ListCursor,
    having: MetadataFilter,
    project: CurrentProject,
    session: Session,
    query: Annotated[Text, Query(max_length=_MAX_QUERY_CHARS)] = "",
) -> ListThreadsResponse:
    """The project's threads.

    `query` finds words in titles (`metadata.title`) and in what messages say: all words
    in one text, `"a phrase"`, `this or that`, `-without`; the last word may be half
    typed. Blank, it asks for nothing.
    """
    page = await lists.list_threads(
        session, project, cursor, metadata=having, words=query
    )
    return ListThreadsResponse.of(
        [render_thread(thread) for thread in page.data], has_more=page.has_more
    )


@router.post("/delete")
async def delete_threads(
    body: DeleteThreadsRequest, project: CurrentProject, session: Session
) -> DeleteThreadsResponse:
    """Delete many threads.

    By `thread_ids`, up to 100, all or none: an id that is unknown, or deleted already,
    is answered with `deleted: false`. Or by `metadata`: the threads that have all these
    pairs, 100 a request, oldest first; ask again while `has_more`. Live runs on them are
    stopped.
    """
    page = await removal.delete_threads(session, project, body)
    return DeleteThreadsResponse.of(
        [DeleteThreadResponse(id=id, deleted=deleted) for id, deleted in page.data],
        has_more=page.has_more,
    )
