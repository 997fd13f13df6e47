"""What followers hear while a model speaks: events that are told and not stored.

Deltas are numbered by the claim's own counter, which the next stored step writes down,
and go to Redis a few at a time: the first at once, then every 25 ms, so that a fast
model costs hundreds of events a second and not thousands.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from runtime.engine.claim import Claim
from runtime.events.announce import stream_of
from runtime.events.bus import Bus
from runtime.events.event import Event

_FLUSH_SECONDS = 0.025


class Voice:
    """Speaks to the followers of one run, for its claim."""

    def __init__(self, bus: Bus, claim: Claim) -> None:
        self._bus = bus
        self._claim = claim
        self._stream = stream_of(claim.run)
        self._waiting: list[Event] = []
        self._last_flush = 0.0
        self._timer: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()

    def say(self, name: str, data: dict[str, Any]) -> None:
        """Tell an event soon."""
        if self._waiting:
            last = self._waiting[-1]
            if extended(last.name, last.data, name, data):
                return
        self._claim.event_seq += 1
        event = Event(self._stream, self._claim.event_seq, name, data)
        self._waiting.append(event)
        if self._timer is None or self._timer.done():
            self._timer = asyncio.create_task(self._flush_soon())

    async def flush(self) -> None:
        """Tell everything now; before a step is stored, so that order is kept."""
        async with self._flushing:
            waiting, self._waiting = self._waiting, []
            self._last_flush = time.monotonic()
            if waiting:
                await self._bus.append(waiting)

    async def _flush_soon(self) -> None:
        # Again, for what was said while Redis took its time.
        while self._waiting:
            pause = self._last_flush + _FLUSH_SECONDS - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            await self.flush()

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, bus: Bus, claim: Claim) -> "AsyncIterator[Voice]":
        """A voice for as long as the block lasts; nothing is said after it.

        What was begun is told to its end, also when the work is cancelled: the message
        that is shown as incomplete next has to have begun.
        """
        voice = cls(bus, claim)
        try:
            yield voice
        finally:
            await voice.flush()
            if voice._timer is not None:
                voice._timer.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await voice._timer


def extended(
    last_name: str, last: dict[str, Any], name: str, data: dict[str, Any]
) -> bool:
    """Let two neighbouring pieces of one text be one delta, the first; whether they are."""
    if last_name != name:
        return False
    known, new = _growing(name, last), _growing(name, data)
    if known is None or new is None or known[0] != new[0]:
        return False
    place, text = known
    text[place[-1]] += new[1][place[-1]]
    return True


def _growing(
    name: str, data: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The one text that a delta adds to: where it grows, and what holds the piece."""
    if name == "thread.message.delta":
        (part,) = data["delta"]["content"]
        place, holder = part, part.get("text", {})
    elif name == "thread.run.step.delta":
        (place,) = data["delta"]["step_details"]["tool_calls"]
        # The first of a call tells its id, too.
        holder = {} if "id" in place else place[place["type"]]
    else:
        return None
    if holder.keys() not in ({"value"}, {"arguments"}, {"input"}):
        return None
    (key,) = holder
    return (data["id"], place["index"], key), holder
