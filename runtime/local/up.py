"""The story of `assistants up`, told by the supervisor's process.

    postgres, redis  →  tables and the default project  →  sandbox, API, workers  →  ready

Started by `foreground` in a session of its own:

    python -m runtime.local.up LIFELINE [--logs]

LIFELINE is the reading end of a pipe; when it closes, the foreground is gone and we stop.
"""

import asyncio
import socket
import sys
import time

from runtime.local import postgres, stack
from runtime.local.configuration import load_settings
from runtime.local.data_dir import (
    locked,
    make_sandbox_token,
    read_or_make_api_key,
)
from runtime.local.failure import CannotStart
from runtime.local.leftovers import end_leftovers
from runtime.local.listener import address, base_url, listen
from runtime.local.logs import say
from runtime.local.probes import http_status
from runtime.local.processes import adopt_orphans, end_children
from runtime.local.supervisor import Supervisor
from runtime.local.welcome import code_interpreter, welcome
from runtime.settings import Settings

_READY_SECONDS = 60.0
# Whether code can be run is told with the rest if it is known this soon.
_CODE_SECONDS = 0.3


def main() -> int:
    """The process' story in one exit status: 0 asked to stop, 1 could not start."""
    began = time.monotonic()
    adopt_orphans()
    lifeline, *options = sys.argv[1:]
    try:
        _up(int(lifeline), began=began, show_logs="--logs" in options)
    except CannotStart as failure:
        print(f"assistants up: {failure}", file=sys.stderr, flush=True)
        return 1
    say("Stopped.")
    return 0


def _up(lifeline: int, *, began: float, show_logs: bool) -> None:
    settings = load_settings()
    with (
        locked(settings, say) as lock,
        listen(settings.host, settings.port) as listener,
    ):
        left = end_leftovers(settings)
        if left:
            say(f"Ended {left} processes that an earlier start had left behind.")
        if settings.database_url is None:
            _initialise_database(settings)
        api_key = read_or_make_api_key(settings)
        make_sandbox_token(settings)

        background: list[asyncio.Task[str]] = []

        async def then() -> None:
            code = asyncio.create_task(code_interpreter(settings))
            background.append(code)  # the loop itself holds tasks only weakly
            await _answers(listener)
            seconds = time.monotonic() - began
            await asyncio.wait([code], timeout=_CODE_SECONDS)
            known = code.result() if code.done() else "being tried …"
            say(welcome(settings, base_url(listener), api_key, known, seconds))
            if not code.done():
                code.add_done_callback(_tell_about_code)

        stages = [
            stack.stores(settings),
            [stack.preparation(settings)],
            stack.sandbox(settings) + stack.services(settings, listener),
        ]
        try:
            asyncio.run(
                Supervisor(settings, show_logs=show_logs).run(
                    stages, then=then, at_stop=lock.say_stopping, lifeline=lifeline
                )
            )
        finally:
            # Whatever slipped through has become our child by now.
            end_children(patience_seconds=0)


def _initialise_database(settings: Settings) -> None:
    cluster = stack.cluster(settings)
    if not cluster.data_dir.exists():
        say(f"Setting up a database in {settings.data_dir} (once) …")
    postgres.initialise(cluster)


def _tell_about_code(code: asyncio.Task[str]) -> None:
    if not code.cancelled():
        say(f"code_interpreter: {code.result()}")


async def _answers(listener: socket.socket) -> None:
    """Wait until the API says that database, Redis and a worker answer it."""
    deadline = time.monotonic() + _READY_SECONDS
    host, port = address(listener)
    while True:
        status, body = await http_status(host, port, "/readyz")
        if status == 200:
            return
        if time.monotonic() > deadline:
            raise CannotStart(f"Not ready after {_READY_SECONDS:.0f} s: {body}")
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
