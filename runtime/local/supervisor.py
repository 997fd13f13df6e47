"""The heart of `assistants up`: start in order, keep alive, stop in order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby

from runtime.local.children import Child, Program, Reaper
from runtime.local.failure import CannotStart
from runtime.local.logs import say
from runtime.settings import Settings

_READY_SECONDS = 60.0
_GLANCE_SECONDS = 0.2


class Supervisor:
    """All children of one `up`, from the first to the last moment."""

    def __init__(self, settings: Settings, *, show_logs: bool = False) -> None:
        self._settings = settings
        self._show_logs = show_logs
        self._reaper = Reaper()
        self._children: list[Child] = []
        self._stop_asked = asyncio.Event()

    async def run(
        self,
        stages: Iterable[Sequence[Program]],
        *,
        then: Callable[[], Awaitable[None]],
        at_stop: Callable[[], None] = lambda: None,
        lifeline: int,
    ) -> None:
        """Start everything, serve until asked to stop, stop everything.

        SIGTERM, SIGINT and the end of the lifeline stop in order, SIGQUIT at once.

        Args:
            stages: programs started together; each stage waits for the one before.
            then: awaited when all serve; the start is over when it returns.
            at_stop: called when stopping begins.
            lifeline: reading end of a pipe that closes when nobody wants us any more.

        Raises:
            CannotStart: something needed did not come up; all is stopped again.
        """
        self._reaper.install()
        self._listen_for_the_end(lifeline)
        starting = asyncio.create_task(self._start(stages, then))
        stop_asked = asyncio.create_task(self._stop_asked.wait())
        try:
            await asyncio.wait(
                [starting, stop_asked], return_when=asyncio.FIRST_COMPLETED
            )
            if starting.done():
                starting.result()
            await stop_asked
        finally:
            at_stop()
            starting.cancel()
            stop_asked.cancel()
            with suppress(asyncio.CancelledError, CannotStart):
                await starting
            await self._stop()

    async def _start(
        self, stages: Iterable[Sequence[Program]], then: Callable[[], Awaitable[None]]
    ) -> None:
        for programs in stages:
            children = [self._start_one(program) for program in programs]
            await _all_ready([c for c in children if c.program.needed])
        serving = asyncio.ensure_future(then())
        try:
            while not serving.done():
                for child in self._children:
                    if child.program.needed:
                        child.check()
                await asyncio.wait([serving], timeout=_GLANCE_SECONDS)
            serving.result()
        finally:
            serving.cancel()

    def _start_one(self, program: Program) -> Child:
        child = Child(program, self._settings, self._reaper, show_log=self._show_logs)
        self._children.append(child)
        child.start()
        return child

    async def _stop(self) -> None:
        by_rank = sorted(self._children, key=_rank)
        for _, children in groupby(by_rank, key=_rank):
            await asyncio.gather(*(child.stop() for child in children))

    def _kill(self) -> None:
        self._stop_asked.set()
        say("Stopping at once.")
        for child in self._children:
            child.kill()

    def _listen_for_the_end(self, lifeline: int) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_asked.set)
        loop.add_signal_handler(signal.SIGQUIT, self._kill)

        def foreground_is_gone() -> None:
            loop.remove_reader(lifeline)
            self._stop_asked.set()

        loop.add_reader(lifeline, foreground_is_gone)


async def _all_ready(children: Sequence[Child]) -> None:
    waits = [
        asyncio.create_task(child.ready(seconds=_READY_SECONDS)) for child in children
    ]
    try:
        await asyncio.gather(*waits)
    finally:
        # The first that cannot start decides; the others need not be waited for.
        for wait in waits:
            wait.cancel()


def _rank(child: Child) -> int:
    return child.program.outlives
