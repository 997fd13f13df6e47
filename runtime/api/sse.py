"""A run's events → server-sent events: framing, keep-alive, `done`.

A follower that leaves never touches the run. When Redis is away or has lost the stream,
the connection is kept, the row is asked, and the stream ends with what Postgres says.
"""

import json
from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

from runtime.db import Database
from runtime.errors import ApiError
from runtime.events.announce import stream_of
from runtime.events.bus import Bus
from runtime.events.event import CLOSING, Event
from runtime.events.follow import Follower
from runtime.projects.models import Project
from runtime.runs.lifecycle import ENDED
from runtime.runs.models import Run, RunStatus
from runtime.runs.render import render_run
from runtime.runs.service import get_run, open_calls
from runtime.wire.events import DONE

# After so long a silence the row is asked what has become of the run.
_SILENCE_SECONDS = 1.0
# Proxies cut a connection that says nothing for long.
_KEEP_ALIVE_SECONDS = 15.0

_HEADERS = {
    "cache-control": "no-cache",
    # nginx holds back what it does not know to be a stream.
    "x-accel-buffering": "no",
}


def stream_run(
    db: Database, bus: Bus, project: Project, run: Run, *, after: int
) -> StreamingResponse:
    """Follow a run from behind event number `after` to its end or its next pause."""
    return StreamingResponse(
        _frames(db, bus, project, run, after),
        media_type="text/event-stream",
        headers=_HEADERS,
    )


async def _frames(
    db: Database, bus: Bus, project: Project, run: Run, after: int
) -> AsyncIterator[str]:
    silent_seconds = 0.0
    async with bus.follow(stream_of(run), after) as follower:
        while True:
            event = await follower.next(_SILENCE_SECONDS)
            if event is None:
                silent_seconds += _SILENCE_SECONDS
                if silent_seconds >= _KEEP_ALIVE_SECONDS:
                    silent_seconds = 0.0
                    yield ": keep-alive\n\n"
                event = await _closing_by_row(db, project, run, follower, after)
                if event is None:
                    continue
            silent_seconds = 0.0
            yield frame(event.name, json.dumps(event.data), event.number)
            if event.name in CLOSING:
                yield frame("done", DONE)
                return


async def _closing_by_row(
    db: Database, project: Project, run: Run, follower: Follower, after: int
) -> Event | None:
    """What the row says of a run that paused or ended while the stream was silent."""
    try:
        async with db.transaction() as session:
            row = await get_run(session, project, run.thread_id or "", run.id)
            calls = await open_calls(session, row)
    except ApiError:
        return None  # the database is away, too, or the thread was deleted: wait
    paused = row.status is RunStatus.REQUIRES_ACTION and row.event_seq > after
    if not (paused or row.status in ENDED):
        return None
    # The bell may still be on its way.
    event = await follower.next(_SILENCE_SECONDS)
    if event is not None:
        return event
    rendered = render_run(row, calls).model_dump(mode="json")
    return Event(stream_of(row), row.event_seq, f"thread.run.{row.status}", rendered)


def frame(name: str, data: str, number: int | None = None) -> str:
    """One server-sent event; its number is what `Last-Event-ID` will say."""
    id_line = "" if number is None else f"id: {number}\n"
    return f"{id_line}event: {name}\ndata: {data}\n\n"
