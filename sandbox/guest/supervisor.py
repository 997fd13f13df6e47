"""Process 1 of the container: takes the host's requests, never runs the model's code.

It holds the only way out, the attach stream, on descriptors that nobody else can open:
it is not dumpable, so code of the same user can neither trace it nor look into
`/proc/1/fd`; and no signal from inside its own namespace can end or stop it.

One loop, one call at a time:

    exec -> thaw the worker, send it the code
         -> collect output and pictures until "done", the limit, or the worker's end
         -> freeze all, clear away strays, see which files changed
         -> journal the outcome, then send it
"""

import base64
import binascii
import ctypes
import fcntl
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from typing import ClassVar

from sandbox import protocol
from sandbox.guest import facts, processes
from sandbox.guest.call import LOST, Call, Journal
from sandbox.guest.folder import Folder, FolderError
from sandbox.guest.seat import WorkerSeat

_PR_SET_DUMPABLE = 4
_TICK_SECONDS = 0.25  # while something is under way: limits are kept to this
_IDLE_TICK_SECONDS = 5.0
_MAX_WAITING_CALLS = 4


class RequestError(Exception):
    """A request that cannot be answered; the message says why."""


class Supervisor:
    """The state of process 1.

    Args:
        requests, answers: descriptors of the attach stream.
        idle_seconds, life_seconds: without a request for so long, or after so long in
            any case, we end, and the container with us: a host that died leaves none
            behind.
    """

    def __init__(
        self, requests: int, answers: int, idle_seconds: float, life_seconds: float
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._idle_seconds = idle_seconds
        self._end_at = time.monotonic() + life_seconds
        self._heard_at = time.monotonic()
        self._folder = Folder()
        self._journal = Journal()
        self._waiting: list[Call] = []
        self._call: Call | None = None
        self._variables_lost = False
        self._reader = protocol.FrameReader()
        self._selector = selectors.DefaultSelector()
        self._selector.register(requests, selectors.EVENT_READ, self._on_request)
        self._worker = WorkerSeat(
            self._selector, self._on_worker_frame, self._on_output, self._on_worker_end
        )

    def serve(self) -> None:
        """Answer until the host hangs up or our time is over."""
        while True:
            is_idle = self._call is None and self._worker.is_ready
            tick = _IDLE_TICK_SECONDS if is_idle else _TICK_SECONDS
            for key, _ in self._selector.select(tick):
                handler: Callable[[], None] = key.data
                handler()
            self._keep_time(time.monotonic())

    def _keep_time(self, now: float) -> None:
        processes.reap(self._worker.pid)
        if self._call is not None:
            self._heard_at = now
            self._call.keep_time(now)
        self._worker.keep_time(now)
        if now > min(self._end_at, self._heard_at + self._idle_seconds):
            sys.exit(0)

    # What the worker says

    def _on_output(self, data: bytes) -> None:
        if self._call is not None:
            self._call.add_output(data)

    def _on_worker_end(self, died: str) -> None:
        if self._call is None:
            self._variables_lost = True
        else:
            self._finish(error=True, died=died)

    def _on_worker_frame(self, frame: protocol.Frame) -> None:
        kind = frame.get("kind")
        if kind == "ready":
            self._begin_next()
        elif kind == "image" and self._call is not None:
            self._call.add_image(frame.get("data"))
        elif kind == "done" and self._call is not None:
            processes.freeze_and_clear(self._worker.pid)
            self._worker.drain_output()
            self._finish(error=bool(frame.get("error")), died=None)
            self._begin_next()

    # Calls

    def _begin_next(self) -> None:
        if not self._worker.is_ready or self._call is not None or not self._waiting:
            return
        self._call = call = self._waiting.pop(0)
        call.begin(time.monotonic(), self._folder.stamps())
        if self._variables_lost:
            call.add_note(LOST)
            self._variables_lost = False
        processes.thaw(self._worker.pid)
        self._worker.tell({"do": "exec", "code": call.code})

    def _finish(self, *, error: bool, died: str | None) -> None:
        call, self._call = self._call, None
        if call is None:
            return
        frames = call.end(error=error, died=died, files=self._folder.stamps())
        self._journal.add(call.call_id, frames)
        for request_id in call.request_ids:
            self._answer_all(request_id, frames, replayed=False)

    def _answer_all(
        self, request_id: str, frames: list[protocol.Frame], *, replayed: bool
    ) -> None:
        for frame in frames:
            self._answer(request_id, {**frame, "replayed": replayed})

    # Requests

    def _on_request(self) -> None:
        data = os.read(self._requests, 1 << 16)
        if not data:
            sys.exit(0)
        for request in self._reader.feed(data):
            self._heard_at = time.monotonic()
            request_id = request.get("id")
            handler = self._handlers.get(str(request.get("do")))
            if handler is None or not isinstance(request_id, str):
                continue
            try:
                handler(self, request_id, request)
            except (FolderError, RequestError) as error:
                self._answer(request_id, {"kind": "failed", "reason": str(error)})
            except (KeyError, TypeError, ValueError, binascii.Error):
                reason = "the request is not well formed"
                self._answer(request_id, {"kind": "failed", "reason": reason})

    def _answer(self, request_id: str, frame: protocol.Frame) -> None:
        view = memoryview(protocol.encode({"id": request_id, **frame}))
        while view:
            view = view[os.write(self._answers, view) :]

    def _hello(self, request_id: str, _: protocol.Frame) -> None:
        self._folder.drop_all()
        self._answer(request_id, {"kind": "done", "facts": facts.gather()})

    def _exec(self, request_id: str, request: protocol.Frame) -> None:
        call_id = str(request["call"])
        journalled = self._journal.find(call_id)
        if journalled is not None:
            self._answer_all(request_id, journalled, replayed=True)
            return
        for call in [*self._waiting, *filter(None, [self._call])]:
            if call.call_id == call_id:
                call.request_ids.append(request_id)
                return
        if len(self._waiting) >= _MAX_WAITING_CALLS:
            raise RequestError("too many calls are waiting")
        seconds = float(request["timeout_seconds"])
        self._waiting.append(Call(call_id, str(request["code"]), seconds, request_id))
        self._begin_next()

    def _interrupt(self, request_id: str, request: protocol.Frame) -> None:
        """Stop the running call of that id; one not running has nothing to stop."""
        if self._call is not None and self._call.call_id == request["call"]:
            now = time.monotonic()
            self._call.stop("interrupt", now)
            self._call.keep_time(now)
        self._answer(request_id, {"kind": "done"})

    def _put(self, request_id: str, request: protocol.Frame) -> None:
        self._folder.write_block(
            str(request["upload"]),
            str(request["name"]),
            base64.b64decode(request["data"], validate=True),
            first=bool(request["first"]),
            last=bool(request["last"]),
        )
        self._answer(request_id, {"kind": "done"})

    def _drop(self, request_id: str, request: protocol.Frame) -> None:
        self._folder.drop(str(request["upload"]))
        self._answer(request_id, {"kind": "done"})

    def _get(self, request_id: str, request: protocol.Frame) -> None:
        length = min(int(request["length"]), protocol.BLOCK_BYTES)
        data, eof = self._folder.read_block(
            str(request["name"]), int(request["offset"]), length
        )
        block = base64.b64encode(data).decode("ascii")
        self._answer(request_id, {"kind": "done", "data": block, "eof": eof})

    def _list(self, request_id: str, _: protocol.Frame) -> None:
        sizes = {name: stamp[1] for name, stamp in self._folder.stamps().items()}
        self._answer(request_id, {"kind": "done", "files": sizes})

    def _preload(self, request_id: str, _: protocol.Frame) -> None:
        self._worker.tell({"do": "preload"})
        self._answer(request_id, {"kind": "done"})

    _handlers: ClassVar[dict[str, Callable[..., None]]] = {
        "hello": _hello,
        "exec": _exec,
        "interrupt": _interrupt,
        "put": _put,
        "drop": _drop,
        "get": _get,
        "list": _list,
        "preload": _preload,
    }


def main() -> None:
    """Guard ourselves, take the stream for ourselves, serve."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Without a handler, the kernel drops a signal to process 1 from inside; and
        # Python has installed one for SIGINT.
        signal.signal(number, signal.SIG_DFL)
    if ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        sys.exit("cannot guard process 1")
    requests, answers = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (0, 1))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):  # 2 stays: our own last words, should there be any
        os.dup2(nothing, descriptor)
    idle_seconds, life_seconds = (float(argument) for argument in sys.argv[1:3])
    Supervisor(requests, answers, idle_seconds, life_seconds).serve()


if __name__ == "__main__":
    main()
