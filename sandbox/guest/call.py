"""One call of the host: what it has shown so far, its clock, and the journal of ended ones."""

import contextlib
import os
import signal
from collections import OrderedDict
from typing import Literal

from sandbox import protocol
from sandbox.guest import processes
from sandbox.guest.folder import Stamp

StopReason = Literal["timeout", "interrupt"]

_JOURNAL_ENTRIES = 64
_JOURNAL_BYTES = 16 * 1024 * 1024
_SECOND_INTERRUPT_SECONDS = 1.0
_NAMES_IN_NOTE = 5

LOST = "[The Python process was restarted: all variables were lost.]"


class Call:
    """A piece of code asked for under `call_id`, waiting or running.

    `request_ids` are the requests that wait for its outcome: more than one when a caller
    lost its connection and asked again.
    """

    def __init__(
        self, call_id: str, code: str, timeout_seconds: float, request_id: str
    ) -> None:
        self.call_id = call_id
        self.code = code
        self.timeout_seconds = timeout_seconds
        self.request_ids = [request_id]
        self.stopped_for: StopReason | None = None
        self._images: list[str] = []
        self._output = bytearray()
        self._dropped_bytes = 0
        self._notes: list[str] = []

    def begin(self, now: float, files: dict[str, Stamp]) -> None:
        """Remember how things were when the code began."""
        self._files_before = files
        self._memory_kills_before = processes.memory_kills()
        self._limit_at = now + self.timeout_seconds
        self._interrupts_left = 2
        self._next_interrupt_at = self._kill_at = float("inf")

    def add_output(self, data: bytes) -> None:
        """Keep what fits; the rest is counted."""
        room = max(0, protocol.MAX_OUTPUT_BYTES - len(self._output))
        self._output += data[:room]
        self._dropped_bytes += max(0, len(data) - room)

    def add_image(self, data: object) -> None:
        """Keep a picture (base64); the host looks whether it is one."""
        if isinstance(data, str) and len(self._images) < protocol.MAX_IMAGES:
            self._images.append(data)

    def add_note(self, note: str) -> None:
        """A line of ours at the end of the logs."""
        self._notes.append(note)

    def stop(self, reason: StopReason, now: float) -> None:
        """Begin to interrupt: politely, once more, then for good (`keep_time`)."""
        if self.stopped_for is None:
            self.stopped_for = reason
            self._next_interrupt_at = now
            self._kill_at = now + protocol.INTERRUPT_GRACE_SECONDS

    def keep_time(self, now: float) -> None:
        """Do what is due by now: interrupt, interrupt again, kill."""
        if now >= self._limit_at:
            self.stop("timeout", now)
        if now >= self._kill_at:
            processes.kill_all()
        elif now >= self._next_interrupt_at and self._interrupts_left:
            # To all, not only the worker: it may be waiting for a child that it
            # started with os.system, and ignores interrupts meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGINT)
            self._interrupts_left -= 1
            self._next_interrupt_at = now + _SECOND_INTERRUPT_SECONDS

    def end(
        self, *, error: bool, died: str | None, files: dict[str, Stamp]
    ) -> list[protocol.Frame]:
        """The frames of the outcome. `died` says how the worker ended, if it did."""
        status = self._status(error, died)
        produced = self._produced(files)
        if self._dropped_bytes:
            self._notes.insert(
                0, f"[Output cut here: {self._dropped_bytes} more bytes were dropped.]"
            )
        if died is not None:
            self.add_note(LOST)
        logs = self._output.decode("utf-8", "replace")
        notes = "\n".join(self._notes)
        if notes and logs and not logs.endswith("\n"):
            logs += "\n"
        outcome = {
            "kind": "outcome",
            "status": status,
            "logs": logs + notes,
            "files": produced,
            "gone": self._gone(files),
            "variables_lost": LOST in self._notes,
        }
        return [*({"kind": "image", "data": data} for data in self._images), outcome]

    def _status(self, error: bool, died: str | None) -> str:
        killed_for_memory = processes.memory_kills() > self._memory_kills_before
        # Also when it ended without an error: what was interrupted may hide it.
        if self.stopped_for == "timeout":
            self.add_note(f"[Stopped: the limit is {self.timeout_seconds:g} seconds.]")
            return "timeout"
        if self.stopped_for == "interrupt":
            self.add_note("[Stopped on request.]")
            return "error"
        if killed_for_memory and died:
            self.add_note("[The code needed more memory than the sandbox has.]")
            return "out_of_memory"
        if killed_for_memory:
            self.add_note("[A process of the code was ended: memory had run out.]")
        if died:
            self.add_note(f"[The Python process ended by itself: {died}.]")
            return "crashed"
        return "error" if error else "ok"

    def _produced(self, after: dict[str, Stamp]) -> list[tuple[str, int]]:
        produced: list[tuple[str, int]] = []
        too_large, no_room = [], []
        room = protocol.MAX_PRODUCED_BYTES
        for name, stamp in sorted(after.items()):
            if self._files_before.get(name) == stamp:
                continue
            size = stamp[1]
            if size > protocol.MAX_FILE_BYTES:
                too_large.append(name)
            elif size > room or len(produced) == protocol.MAX_FILES:
                no_room.append(name)
            else:
                produced.append((name, size))
                room -= size
        if too_large:
            limit = f"larger than {protocol.MAX_FILE_BYTES >> 20} MB"
            self.add_note(f"[Not kept, because {limit}: {_listed(too_large)}.]")
        if no_room:
            limit = f"{protocol.MAX_FILES} files and "
            limit += f"{protocol.MAX_PRODUCED_BYTES >> 20} MB of a call are kept"
            self.add_note(f"[Only {limit}; not these: {_listed(no_room)}.]")
        return produced

    def _gone(self, after: dict[str, Stamp]) -> list[str]:
        """What was there when the code began and is no longer."""
        if len(after) >= protocol.MAX_LISTED_FILES:
            return []  # who is not listed may be there all the same
        return sorted(self._files_before.keys() - after.keys())[: protocol.MAX_GONE]


class Journal:
    """The outcomes of the last calls, by call id, bounded in number and bytes."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, list[protocol.Frame]] = OrderedDict()
        self._bytes = 0

    def find(self, call_id: str) -> list[protocol.Frame] | None:
        return self._entries.get(call_id)

    def add(self, call_id: str, frames: list[protocol.Frame]) -> None:
        self._entries[call_id] = frames
        self._bytes += _size(frames)
        # The newest stays whatever its size: it is the one that may be asked for again.
        while len(self._entries) > 1 and (
            self._bytes > _JOURNAL_BYTES or len(self._entries) > _JOURNAL_ENTRIES
        ):
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= _size(oldest)


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMES_IN_NOTE
    words = ", ".join(names[:_NAMES_IN_NOTE])
    return f"{words} and {more} more" if more > 0 else words


def _size(frames: list[protocol.Frame]) -> int:
    return sum(len(frame.get("data") or frame.get("logs") or "") for frame in frames)
