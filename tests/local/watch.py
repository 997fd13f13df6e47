"""Look at processes from outside, and wait for what should happen."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def living(data_dir: Path) -> set[int]:
    """Every process that an `up` on this directory has started and that still lives."""
    return {pid for pid in _pids() if _belongs(pid, data_dir)}


def until(
    holds: Callable[[], bool],
    explain: Callable[[], str] = lambda: "",
    seconds: float = 15,
) -> None:
    """Wait until something holds; files that are not there yet mean: not yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except (OSError, ValueError, IndexError):
            pass
        assert time.monotonic() < deadline, explain()
        time.sleep(0.02)


def _belongs(pid: int, data_dir: Path) -> bool:
    # The mark in the environment; a program that writes its title over it is known by
    # where it works.
    process = Path(f"/proc/{pid}")
    try:
        environment = (process / "environ").read_bytes().split(b"\0")
        works_in = (process / "cwd").readlink()
    except OSError:
        return False
    marked = f"ASSISTANTS_UP={data_dir}".encode() in environment
    return marked or works_in.is_relative_to(data_dir)


def _pids() -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
