"""One event loop per process, in a thread of its own.

A Celery task is synchronous; what it does is not. Each task hands a coroutine to this
loop and waits. So a process has one engine, one pool of connections, one HTTP client,
and hundreds of runs wait in it at once.
"""

import asyncio
import contextlib
import faulthandler
import os
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import structlog
import uvloop

log = structlog.get_logger()

T = TypeVar("T")

_STUCK_SECONDS = 15
_WATCH_SECONDS = 5


class Loop:
    """An event loop that runs in the background, and is started anew after a fork."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: Future[None] | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its end, in the caller's thread."""
        return self.submit(work).result()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Put a coroutine on the loop and go on."""
        return asyncio.run_coroutine_threadsafe(work, self._running())

    def stop(self) -> None:
        """Stop the loop, whatever is on it."""
        if self._loop is not None and self._pid == os.getpid():
            if self._watching is not None:
                self._watching.cancel()
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._pid = os.getpid()
                self._loop = uvloop.new_event_loop()
                thread = threading.Thread(
                    target=self._loop.run_forever, name="event-loop", daemon=True
                )
                thread.start()
                self._watching = asyncio.run_coroutine_threadsafe(_watch(), self._loop)
            return self._loop


async def _watch() -> None:
    """Log all stacks when the loop has not turned for a while: something blocks it."""
    while True:
        faulthandler.dump_traceback_later(_STUCK_SECONDS, file=sys.stderr)
        await asyncio.sleep(_WATCH_SECONDS)
        with contextlib.suppress(RuntimeError):
            faulthandler.cancel_dump_traceback_later()
