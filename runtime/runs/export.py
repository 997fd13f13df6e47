"""A whole thread as one JSON document, made a page at a time.

It is what the API's lists show, read to their ends in a transaction that sees one
moment. In memory are one page of it, and the ids of the files that it names.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import select

from runtime.clock import unix
from runtime.db.paging import Cursor, Page
from runtime.db.transaction import Session
from runtime.files.models import File
from runtime.files.render import render_file
from runtime.files.service import is_live
from runtime.projects.models import Project
from runtime.runs.models import Run, RunStep
from runtime.runs.render import render_run, render_step
from runtime.runs.service import list_runs
from runtime.runs.steps import list_steps
from runtime.threads.models import Item, Thread
from runtime.threads.render import render_message, render_thread
from runtime.threads.service import get_thread, list_messages
from runtime.wire.base import WireModel

_PAGE = 100

Row = TypeVar("Row", Item, Run, RunStep)
Pages = AsyncIterator[Sequence[WireModel]]


async def export_thread(
    session: Session, project: Project, thread_id: str
) -> AsyncIterator[bytes]:
    """A `ThreadExport` (see `wire/exports.py`) as JSON, in pieces.

    Args:
        session: at the start of its transaction, which writes nothing.

    Raises:
        NotFound: this project has no such thread; before the first piece.
    """
    await session.see_one_moment()
    thread = await get_thread(session, project, thread_id)
    export = _Export(session, project, thread)
    async for piece in export.pieces():
        yield piece.encode()


class _Export:
    """A thread on its way out, and the files that it has named so far."""

    def __init__(self, session: Session, project: Project, thread: Thread) -> None:
        self._session = session
        self._project = project
        self._thread = thread
        # Keys only: in the order in which they are named.
        self._named: dict[str, None] = {}

    async def pieces(self) -> AsyncIterator[str]:
        """The document."""
        now = unix(await self._session.database_now())
        yield f'{{"object": "thread.export", "exported_at": {now}, '
        yield f'"thread": {self._written([render_thread(self._thread)])}'
        parts: dict[str, Pages] = {
            "messages": self._messages(),
            "runs": self._runs(),
            "run_steps": self._steps(),
            # Last: all the others name some.
            "files": self._files(),
        }
        for name, pages in parts.items():
            yield f', "{name}": ['
            separator = ""
            async for page in pages:
                if page:
                    yield separator + self._written(page)
                    separator = ", "
            yield "]"
        yield "}"

    def _written(self, page: Sequence[WireModel]) -> str:
        dumped = [shown.model_dump(mode="json") for shown in page]
        self._named.update(dict.fromkeys(_files_named_in(dumped)))
        return ", ".join(json.dumps(shown, ensure_ascii=False) for shown in dumped)

    async def _messages(self) -> Pages:
        thread_id = self._thread.id

        async def fetch(cursor: Cursor) -> Page[Item]:
            return await list_messages(self._session, self._project, thread_id, cursor)

        async for messages in _to_the_end(fetch):
            yield [render_message(message, thread_id) for message in messages]

    async def _runs(self) -> Pages:
        calls: dict[int, list[Item]] = {}

        async def fetch(cursor: Cursor) -> Page[Run]:
            nonlocal calls
            page, calls = await list_runs(
                self._session, self._project, self._thread.id, cursor
            )
            return page

        async for runs in _to_the_end(fetch):
            yield [render_run(run, calls.get(run.pk, ())) for run in runs]

    async def _steps(self) -> Pages:
        async for runs in _to_the_end(self._fetch_runs):
            for run in runs:
                async for page in self._steps_of(run):
                    yield page

    async def _fetch_runs(self, cursor: Cursor) -> Page[Run]:
        page, _ = await list_runs(self._session, self._project, self._thread.id, cursor)
        return page

    async def _steps_of(self, run: Run) -> Pages:
        items: dict[int, list[Item]] = {}

        async def fetch(cursor: Cursor) -> Page[RunStep]:
            nonlocal items
            page, items = await list_steps(self._session, run, cursor)
            return page

        async for steps in _to_the_end(fetch):
            yield [
                render_step(run, step, items.get(step.pk, ()), with_content=True)
                for step in steps
            ]

    async def _files(self) -> Pages:
        named = list(self._named)
        for at in range(0, len(named), _PAGE):
            ids = named[at : at + _PAGE]
            query = select(File).where(
                File.project_id == self._project.id, File.id.in_(ids), is_live()
            )
            found = {file.id: file for file in await self._session.scalars(query)}
            yield [render_file(found[id]) for id in ids if id in found]


async def _to_the_end(
    fetch: Callable[[Cursor], Awaitable[Page[Row]]],
) -> AsyncIterator[list[Row]]:
    """Every page of a list, the oldest first."""
    after: str | None = None
    while True:
        page = await fetch(Cursor(limit=_PAGE, order="asc", after=after))
        yield page.data
        if not page.has_more:
            return
        after = page.data[-1].id


def _files_named_in(node: Any) -> Iterator[str]:
    """Whatever stands under `file_id` or `file_ids`, in any part of an object."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "file_id" and isinstance(value, str):
                yield value
            elif key == "file_ids" and isinstance(value, list):
                yield from (id for id in value if isinstance(id, str))
            else:
                yield from _files_named_in(value)
    elif isinstance(node, list):
        for part in node:
            yield from _files_named_in(part)
