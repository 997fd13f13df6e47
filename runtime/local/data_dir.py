"""The data directory: made on the first start, used by one process tree at a time."""

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from runtime.local.failure import CannotStart
from runtime.settings import Settings

_LOCK = "up.lock"
_STOPPING = "stopping"
# An earlier `up` that is stopping is waited for: it is gone within ten seconds.
_PATIENCE_SECONDS = 15
# So is one that only looks whether somebody has it (`is_in_use`).
_GLANCE_SECONDS = 0.3


class Lock:
    """The right to use a data directory, and word to others about who has it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._write(str(os.getpid()))

    def say_stopping(self) -> None:
        """Let a start that comes now wait a moment instead of failing."""
        self._write(f"{os.getpid()} {_STOPPING}")

    def _write(self, words: str) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(words)
        self._file.flush()


@contextmanager
def locked(settings: Settings, say: Callable[[str], None]) -> Iterator[Lock]:
    """Make the data directory if need be and hold its lock during the block.

    The lock is the kernel's (flock), so it ends with the process however that ends.

    Raises:
        CannotStart: the directory is used by another `up`, or we may not write there.
    """
    directory = settings.data_dir
    try:
        _make_directories(settings)
        file = (directory / _LOCK).open("a+")
    except OSError as error:
        raise CannotStart(
            f"Cannot write to the data directory {directory} ({error.strerror}). "
            "Make it writable, or set ASSISTANTS_DATA_DIR to another place."
        ) from None
    with file:
        _acquire(file, directory, say)
        yield Lock(file)


def is_in_use(settings: Settings) -> bool:
    """Whether some process holds the lock at this moment."""
    try:
        with (settings.data_dir / _LOCK).open("a+") as file:
            return not _try(file)
    except OSError:
        return False


def read_or_make_api_key(settings: Settings) -> str:
    """The key of the project `default`: given, kept from the first start, or new."""
    if settings.api_key is not None:
        return settings.api_key
    return _read_or_make(
        settings.api_key_file, lambda: f"sk-{secrets.token_urlsafe(32)}"
    )


def kept_api_key(settings: Settings) -> str | None:
    """The key that was made at the first start, if one is kept and in use."""
    if settings.api_key is not None or not settings.api_key_file.exists():
        return None
    return settings.api_key_file.read_text().strip()


def keep_api_key(settings: Settings, secret: str) -> None:
    """Let `secret` be the key of the project `default` from the next start on."""
    _write_secret(settings.api_key_file, secret)


def make_sandbox_token(settings: Settings) -> None:
    """Have the secret between workers and sandbox manager in its file."""
    if settings.sandbox_token is None:
        _read_or_make(settings.sandbox_token_file, lambda: secrets.token_urlsafe(32))
    else:
        _write_secret(settings.sandbox_token_file, settings.sandbox_token)


def _read_or_make(path: Path, make: Callable[[], str]) -> str:
    if path.exists():
        kept = path.read_text().strip()
        if kept:
            return kept
    value = make()
    _write_secret(path, value)
    return value


def _write_secret(path: Path, value: str) -> None:
    # Whole or not at all: a start that is killed here leaves no empty key.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value + "\n")
    unfinished.replace(path)


def _make_directories(settings: Settings) -> None:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for directory in (settings.run_dir, settings.logs_dir, settings.sockets_dir):
        directory.mkdir(mode=0o700, exist_ok=True)
    if settings.sockets_dir.lstat().st_uid != os.geteuid():
        raise CannotStart(
            f"{settings.sockets_dir} belongs to somebody else; remove it."
        )
    settings.sockets_dir.chmod(0o700)


def _acquire(file: IO[str], directory: Path, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    told = False
    while not _try(file):
        file.seek(0)
        owner, _, state = file.read().partition(" ")
        waited = time.monotonic() - began
        if waited > (_PATIENCE_SECONDS if state == _STOPPING else _GLANCE_SECONDS):
            raise CannotStart(
                f"The data directory {directory} is in use by process {owner or '?'}. "
                "Stop that one, or set ASSISTANTS_DATA_DIR to another place."
            )
        if state == _STOPPING and not told:
            say("Waiting for an earlier `assistants up` to finish stopping …")
            told = True
        time.sleep(0.05)


def _try(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
