"""The database, for a command that needs it for a moment."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.local import postgres
from runtime.local.data_dir import is_in_use, locked
from runtime.local.failure import CannotStart
from runtime.local.leftovers import end_leftovers
from runtime.local.stack import cluster
from runtime.settings import Settings

_PATIENCE_SECONDS = 15.0


@contextmanager
def database_at_hand(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Have the database answer during the block.

    A database that was given is left alone; the embedded one is that of a running `up`,
    or is started for as long as the block lasts.

    Raises:
        CannotStart: it cannot be had; with the reason.
    """
    if settings.database_url is not None:
        yield
    elif is_in_use(settings):
        _wait_for_running(settings)
        yield
    else:
        with locked(settings, say) as lock:
            # An `up` that comes now waits for us: we are soon done.
            lock.say_stopping()
            end_leftovers(settings)
            with postgres.running(cluster(settings)):
                yield


def _wait_for_running(settings: Settings) -> None:
    address = str(settings.postgres_socket_dir / ".s.PGSQL.5432")
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(address)
            return
        except PermissionError:
            raise CannotStart(
                f"The data directory {settings.data_dir} is in use by another user's "
                "`assistants up`. Run this command as that user."
            ) from None
        except OSError:
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"Another process uses {settings.data_dir} but its database does "
                    "not answer. Try again once `assistants up` is ready."
                ) from None
        time.sleep(0.1)
