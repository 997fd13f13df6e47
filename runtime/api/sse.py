"""A run's events → server-sent events: framing, keep-alive, `done`.

A follower that leaves never touches the run. When Redis is away or has lost the stream,
the connection is kept, the row is asked, and the stream ends with what Postgres says.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import structlog
from fastapi.responses import StreamingResponse

from runtime.db import Database
from runtime.errors import Unavailable
from runtime.events.announce import stream_of
from runtime.events.bus import Bus
from runtime.events.event import CLOSING, Event
from runtime.runs.lifecycle import ENDED
from runtime.runs.models import Run
from runtime.runs.retelling import retell_end
from runtime.wire.errors import Error, ErrorResponse
from runtime.wire.events import DONE

log = structlog.get_logger()

# After so long a silence the row is asked what has become of the run.
_SILENCE_SECONDS = 1.0
_LONGEST_SILENCE_SECONDS = 4.0
# Proxies cut a connection that says nothing for long.
_KEEP_ALIVE_SECONDS = 15.0

_HEADERS = {
    "cache-control": "no-cache",
    # nginx holds back what it does not know to be a stream.
    "x-accel-buffering": "no",
}
_BROKEN = ErrorResponse(
    error=Error(
        message="The stream broke; the run is not affected. Follow or poll it again.",
        type="server_error",
    )
)
# What a message or a step ends with.
_ENDS = ("completed", "incomplete", "failed", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """Where an answer began that was a stream: behind which event of which run."""

    thread_id: str
    run_id: str
    after: int
    from_turn: int


class RunStream(StreamingResponse):
    """A response that follows a run; `place` is where it began."""

    def __init__(self, frames: AsyncIterator[str], place: StreamPlace) -> None:
        super().__init__(frames, media_type="text/event-stream", headers=_HEADERS)
        self.place = place


def stream_run(
    db: Database,
    bus: Bus,
    run: Run,
    *,
    after: int = 0,
    first: Sequence[Event] = (),
) -> RunStream:
    """Follow a run to its end or its next pause.

    Args:
        run: the row, as this request found or made it.
        after: the number of the event behind which to begin.
        first: events of this very request; they come first, and from memory: the worker
            may be so quick that Redis takes its events and refuses these.
    """
    from_turn = run.turn if first else 0
    place = _Place(
        first[-1].number if first else after, from_turn, caught_up_at=run.event_seq
    )
    began = StreamPlace(
        run.thread_id or "",
        run.id,
        first[0].number - 1 if first else after,
        from_turn,
    )
    return RunStream(_frames(db, bus, run, place, first), began)


def stream_again(db: Database, bus: Bus, run: Run, began: StreamPlace) -> RunStream:
    """Tell again what an earlier stream told, up to the end or pause that it came to.

    Events that Redis has lost (an hour after the last one, all) are not told again; the
    stream then ends with what Postgres says.
    """
    # Nobody has heard of the past: the first pause is where the earlier stream stopped.
    place = _Place(began.after, began.from_turn, caught_up_at=0)
    return RunStream(_frames(db, bus, run, place, ()), began)


@dataclass(slots=True)
class _Place:
    """How far a follower is: the last number it heard, and which ends it was told.

    `caught_up_at` is the run's last number when the follower came: up to there it hears
    of the past.
    """

    number: int
    from_turn: int
    caught_up_at: int
    told: set[str] = field(default_factory=set)

    def pass_by(self, event: Event) -> None:
        self.number = event.number
        if event.name.startswith(("thread.message.", "thread.run.step.")):
            _, _, state = event.name.rpartition(".")
            if state in _ENDS:
                self.told.add(event.data["id"])

    def is_past(self, event: Event) -> bool:
        """A pause that was over before the follower came is no reason to stop."""
        return event.number < self.caught_up_at


async def _frames(
    db: Database, bus: Bus, run: Run, place: _Place, first: Sequence[Event]
) -> AsyncIterator[str]:
    for event in first:
        yield _framed(event)
    try:
        if run.status not in ENDED or place.number < run.event_seq:
            async for told in _followed(db, bus, run, place):
                yield ": keep-alive\n\n" if told is None else _framed(told)
    except Exception:
        # The status is out long since: all that is left is to say so, and the run goes
        # on. Of a run that fails, `thread.run.failed` tells.
        log.exception("stream broken", run_id=run.id)
        yield frame("error", _BROKEN.model_dump_json())
    yield frame("done", DONE)


async def _followed(
    db: Database, bus: Bus, run: Run, place: _Place
) -> AsyncIterator[Event | None]:
    """The events of a run to its end or next pause; None after a long silence."""
    silent_seconds, patience = 0.0, _SILENCE_SECONDS
    async with bus.follow(stream_of(run), place.number) as follower:
        while True:
            end = None
            event = await follower.next(patience)
            if event is None:
                end = await _end_by_rows(db, run, place)
                if end is not None:
                    # The bell may have been on its way all the same.
                    event = await follower.next(_SILENCE_SECONDS)
            if event is not None:
                silent_seconds, patience = 0.0, _SILENCE_SECONDS
                place.pass_by(event)
                yield event
                if event.name in CLOSING and not place.is_past(event):
                    return
            elif end is not None:
                for event in end:
                    yield event
                return
            else:
                silent_seconds += patience
                # A slow model is no reason to ask a thousand rows every second.
                patience = min(2 * patience, _LONGEST_SILENCE_SECONDS)
                if silent_seconds >= _KEEP_ALIVE_SECONDS:
                    silent_seconds = 0.0
                    yield None


async def _end_by_rows(db: Database, run: Run, place: _Place) -> list[Event] | None:
    try:
        async with db.transaction() as session:
            return await retell_end(
                session,
                run.pk,
                heard=place.number,
                from_turn=place.from_turn,
                told=place.told,
            )
    except Unavailable:
        return None  # the database is away, too: wait


def _framed(event: Event) -> str:
    # What was told from rows has no number, and leaves `Last-Event-ID` as it is.
    return frame(event.name, json.dumps(event.data), event.number or None)


def frame(name: str, data: str, number: int | None = None) -> str:
    """One server-sent event; its number is what `Last-Event-ID` will say.

    The number comes last: OpenAI sends none, and simple readers expect the name first.
    """
    id_line = "" if number is None else f"id: {number}\n"
    return f"event: {name}\ndata: {data}\n{id_line}\n"
