"""The names of all background jobs, and how they are rung. No task code.

A job is a nudge without arguments: the worker that gets it claims what it needs from
rows. It may be lost, doubled or late; the sweeper rings again.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from celery import Celery

    from runtime.db.transaction import Session

log = structlog.get_logger()

DRIVE_RUNS = "runs.drive"
INGEST_FILES = "files.ingest"

QUEUES = {DRIVE_RUNS: "runs", INGEST_FILES: "ingest"}


@dataclass(frozen=True, slots=True)
class Job:
    """A nudge in an outbox."""

    name: str


def enqueue(session: "Session", name: str) -> None:
    """Ring for `name` once this transaction has committed."""
    session.outbox.append(Job(name))


def broker_url(redis_url: str) -> str:
    """Redis' URL in the form Celery takes: it calls a unix socket `redis+socket`."""
    if redis_url.startswith("unix://"):
        path, _, query = redis_url.removeprefix("unix://").partition("?")
        database = query.removeprefix("db=") or "0"
        return f"redis+socket://{path}?virtual_host={database}"
    return redis_url


def make_celery(redis_url: str) -> "Celery":
    """A Celery app that can send; `worker/app.py` gives it tasks."""
    # Imported here: half of the API's processes never ring, and it is not light.
    from celery import Celery

    app = Celery("assistants", broker=broker_url(redis_url))
    app.conf.update(
        task_routes={name: {"queue": queue} for name, queue in QUEUES.items()},
        task_create_missing_queues=True,
        task_ignore_result=True,
        # A lost nudge is rung again by the sweeper: nothing is asked of redelivery.
        task_acks_late=False,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 1},
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        enable_utc=True,
    )
    return app


class JobSender:
    """Sends nudges from an event loop, never holding it up: Celery is synchronous."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._celery: Celery | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, names: list[str]) -> None:
        """Ring for each of `names`, in the background; a failure is logged."""
        task = asyncio.create_task(asyncio.to_thread(self._send, names))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Wait for what is being sent."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=2)
        if self._celery is not None:
            await asyncio.to_thread(self._celery.close)

    def _send(self, names: list[str]) -> None:
        try:
            if self._celery is None:
                self._celery = make_celery(self._redis_url)
            for name in names:
                self._celery.send_task(name)
        except Exception:
            log.warning("job not sent", jobs=names, exc_info=True)
