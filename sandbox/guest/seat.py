"""The worker's seat: somebody always sits in it, and whoever ends is replaced."""

import os
import select
import selectors
import time
from collections.abc import Callable

from sandbox import protocol
from sandbox.guest import processes

_START_SECONDS = 60.0  # an interpreter that is not up by then never will be
_LISTEN_SECONDS = 5.0  # how long an idle worker may take to take its code


class WorkerSeat:
    """The present worker and its pipes.

    Args:
        selector: its handlers take no argument; ours are registered there.
        on_frame: told each frame of the worker, `ready` among them only once.
        on_output: told what it and its children write.
        on_end: told how a worker ended, before the next one is started.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        on_frame: Callable[[protocol.Frame], None],
        on_output: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._selector = selector
        self._on_frame = on_frame
        self._on_output = on_output
        self._on_end = on_end
        self._start()

    @property
    def pid(self) -> int:
        return self._worker.pid

    def keep_time(self, now: float) -> None:
        """End a worker that does not come up."""
        if not self.is_ready and now > self._started_at + _START_SECONDS:
            processes.kill_all()

    def tell(self, command: protocol.Frame) -> None:
        """Send a command; a worker that does not take it is ended."""
        view = memoryview(protocol.encode(command))
        pipe = self._worker.commands
        try:
            while view:
                if not select.select([], [pipe], [], _LISTEN_SECONDS)[1]:
                    raise BrokenPipeError
                view = view[os.write(pipe, view) :]
        except (BrokenPipeError, BlockingIOError):
            processes.kill_all()  # its end is noticed as every end is

    def drain_output(self) -> None:
        """Hand on what the pipe still holds. Only once all is frozen or dead: else
        there may be no end of it."""
        try:
            while data := os.read(self._worker.output, 1 << 16):
                self._on_output(data)
        except BlockingIOError:
            pass

    def _start(self) -> None:
        self.is_ready = False
        self._started_at = time.monotonic()
        self._worker = processes.start_worker()
        self._reader = protocol.FrameReader()
        for descriptor, handler in (
            (self._worker.results, self._read_results),
            (self._worker.output, self._read_output),
            (self._worker.pidfd, self._replace),
        ):
            self._selector.register(descriptor, selectors.EVENT_READ, handler)

    def _replace(self) -> None:
        """However it ended, nothing of it stays, and another takes its place."""
        died = processes.ending(self._worker.pid)
        processes.kill_all()
        self.drain_output()
        for descriptor in (
            self._worker.results,
            self._worker.output,
            self._worker.pidfd,
        ):
            self._forget(descriptor)
        self._worker.close()
        self._on_end(died)
        self._start()

    def _forget(self, descriptor: int) -> None:
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def _read_output(self) -> None:
        try:
            data = os.read(self._worker.output, 1 << 16)
        except BlockingIOError:
            return
        if data:
            self._on_output(data)
        else:  # the code has closed both streams
            self._forget(self._worker.output)

    def _read_results(self) -> None:
        try:
            data = os.read(self._worker.results, 1 << 16)
            frames = self._reader.feed(data)
        except BlockingIOError:
            return
        except protocol.FrameError:
            data, frames = b"", []
        if not data:
            # It has closed the pipe or filled it with rubbish: it can be no worker any
            # more. Its end is noticed as every end is.
            self._forget(self._worker.results)
            processes.kill_all()
        for frame in frames:
            if frame.get("kind") != "ready":
                self._on_frame(frame)
            elif not self.is_ready:
                self.is_ready = True
                self._on_frame(frame)
