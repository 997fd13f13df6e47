"""What the kernel knows about processes: /proc, signals to groups, orphans.

Linux only in its details; elsewhere these functions find nothing and do no harm.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Stat:
    """One line of /proc/<pid>/stat: who it is, and whose."""

    command: str
    state: str
    parent: int


def adopt_orphans() -> None:
    """From now on, descendants whose parent dies become children of this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def find_stat(pid: int) -> Stat | None:
    """What is known of a live process; None if there is none (a zombie counts as none)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The command is in parentheses and may hold spaces and parentheses itself.
    before, _, after = text.rpartition(")")
    fields = after.split()
    found = Stat(before.partition("(")[2], fields[0], int(fields[1]))
    return None if found.state in "ZX" else found


def all_pids() -> Iterator[int]:
    """Every process of this machine that we can see."""
    with suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                yield int(entry.name)


def signal_group(pgid: int, number: signal.Signals) -> None:
    """Signal a whole process group; one that is gone is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, number)


def end_children(*, patience_seconds: float) -> None:
    """End every child of this process, and theirs as they come up, and reap them.

    Asks with SIGINT, which stops each of our programs in order, and kills what is still
    there after `patience_seconds`. Returns when this process has no child left.
    """
    deadline = time.monotonic() + patience_seconds
    asked: set[int] = set()
    while _reap_all():
        late = time.monotonic() > deadline
        for pid in _children_of(os.getpid()):
            if late or pid not in asked:
                asked.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGINT)
        time.sleep(0.02)


def _reap_all() -> bool:
    """Take the status of every child that has ended; False when no child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _children_of(parent: int) -> list[int]:
    stats = ((pid, find_stat(pid)) for pid in all_pids())
    return [pid for pid, stat in stats if stat is not None and stat.parent == parent]
