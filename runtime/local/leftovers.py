"""Processes that an `up` left behind which was killed together with all that watches it."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGINT, SIGKILL, Signals

from runtime.local.processes import all_pids, find_stat, signal_group
from runtime.settings import Settings

# In the environment of everything we start, and of everything that starts in turn.
MARK = "ASSISTANTS_UP"
_PATIENCE_SECONDS = 5.0


def mark(settings: Settings) -> dict[str, str]:
    """The environment variable by which a process tells whose it is."""
    return {MARK: str(settings.data_dir)}


def write_pid_file(settings: Settings, name: str, pid: int) -> None:
    """Say, in `<data dir>/run/<name>.pid`, which process `name` is. Whole or not at all.

    For people to read. We do not go by it: in a copied directory it names a process of
    the original, and after a restart of the machine a stranger's.
    """
    path = settings.run_dir / f"{name}.pid"
    unfinished = path.with_suffix(".pid.new")
    # A full disk is no reason to lose hold of the process.
    with suppress(OSError):
        unfinished.write_text(f"{pid}\n")
        unfinished.replace(path)


def remove_pid_file(settings: Settings, name: str) -> None:
    """The process `name` is no more."""
    (settings.run_dir / f"{name}.pid").unlink(missing_ok=True)


def end_leftovers(settings: Settings) -> int:
    """End what an earlier `up` on this data directory left; how many processes it were.

    Call it only while holding the directory's lock. A process is ours when it bears our
    mark, or is a Postgres or Redis that works in the folder which we gave it: those write
    their titles over their environments.
    """
    found = set(_ours(settings))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    _signal(found, SIGINT)
    while remaining := set(_ours(settings)):
        if time.monotonic() > deadline:
            _signal(remaining, SIGKILL)
        time.sleep(0.05)
    for path in settings.run_dir.glob("*.pid"):
        path.unlink(missing_ok=True)
    return len(found)


def _ours(settings: Settings) -> Iterator[int]:
    homes = {
        "postgres": (settings.data_dir / "postgres").resolve(),
        "redis-server": settings.sockets_dir.resolve(),
    }
    marked = f"{MARK}={settings.data_dir}".encode()
    for pid in all_pids():
        if _bears(pid, marked) or _is_at_home(pid, homes):
            yield pid


def _bears(pid: int, marked: bytes) -> bool:
    # Our own environment may bear the mark when a child of ours starts an `up`.
    if pid in (os.getpid(), os.getppid()):
        return False
    with suppress(OSError):
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        return marked in environment.split(b"\0") and find_stat(pid) is not None
    return False


def _is_at_home(pid: int, homes: dict[str, Path]) -> bool:
    """Whether it is one of these programs, working in the folder that is that one's."""
    with suppress(OSError):
        stat = find_stat(pid)
        home = homes.get(stat.command) if stat is not None else None
        return home is not None and Path(f"/proc/{pid}/cwd").readlink() == home
    return False


def _signal(pids: set[int], number: Signals) -> None:
    for pid in pids:
        if number is SIGKILL:
            signal_group(pid, number)
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
