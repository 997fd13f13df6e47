"""Which processes there are, and how each is started: settings in, programs out.

The commands are the ones `docker-compose.yml` runs: one machine or many, one code path.
"""

import asyncio
import hashlib
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from signal import SIGINT, SIGTERM

from runtime.local import postgres, redis
from runtime.local.children import Program
from runtime.local.import_path import import_path
from runtime.local.listener import address
from runtime.local.probes import http_status, unix_socket_answers
from runtime.settings import Settings

# Under `up` a person waits at the terminal: turns under way get 5 s, not 25. With what it
# takes to hand the rest back, and the stores after that, all is down in under ten.
_SHUTDOWN_SECONDS = 5.0
_MARGIN_SECONDS = 1.5

# Connections: the pools' largest sizes (10 + 10 an API process, 8 + 8 a worker process)
# and some for people and commands.
_API_CONNECTIONS = 20
_WORKER_CONNECTIONS = 16
_SPARE_CONNECTIONS = 24


def shutdown_seconds(settings: Settings) -> float:
    """How long turns under way get at Ctrl-C: as asked, else five seconds."""
    asked = "shutdown_seconds" in settings.model_fields_set
    return settings.shutdown_seconds if asked else _SHUTDOWN_SECONDS


def cluster(settings: Settings) -> postgres.Cluster:
    """The embedded database of this data directory."""
    workers = settings.run_processes + settings.ingest_processes
    connections = (
        _SPARE_CONNECTIONS
        + _API_CONNECTIONS * settings.api_processes
        + _WORKER_CONNECTIONS * workers
    )
    return postgres.Cluster(
        data_dir=settings.data_dir / "postgres",
        socket_dir=settings.postgres_socket_dir,
        max_connections=max(100, connections),
    )


def stores(settings: Settings) -> list[Program]:
    """What holds state: the embedded Postgres and Redis, unless both are given."""
    programs = []
    if settings.database_url is None:
        programs.append(_postgres(cluster(settings)))
    if settings.redis_url is None:
        programs.append(_redis(settings.sockets_dir / "redis.sock"))
    return programs


def preparation(settings: Settings) -> Program:
    """The short-lived process that brings tables and the default project up to date."""
    return Program(
        name="prepare",
        argv=_module("runtime.local.prepare"),
        once=True,
        environment=_environment(settings),
    )


def services(settings: Settings, listener: socket.socket) -> list[Program]:
    """API and workers."""
    api_names = ["api", *(f"api-{n}" for n in range(2, settings.api_processes + 1))]
    apis = [_api(settings, name, listener) for name in api_names]
    runs = [
        _worker(settings, f"worker-runs-{n}", "runs")
        for n in range(1, settings.run_processes + 1)
    ]
    # One Celery worker; its pool has `ingest_processes` processes.
    ingest = [_worker(settings, "worker-ingest-1", "ingest")]
    return apis + runs + ingest


def sandbox(settings: Settings) -> list[Program]:
    """The process that holds the Docker endpoint, unless it is elsewhere or off."""
    if settings.sandbox == "off" or settings.sandbox_url is not None:
        return []
    socket_path = Path(settings.effective_sandbox_url.removeprefix("unix://"))
    argv = _module("sandbox.manager", "--listen", settings.effective_sandbox_url)
    argv += ["--token-file", str(settings.sandbox_token_file)]
    argv += ["--instance", _instance(settings), "--runtime", settings.sandbox_runtime]
    argv += ["--warm", str(settings.sandbox_warm)]
    if settings.sandbox_image is not None:
        argv += ["--image", settings.sandbox_image]
    return [
        Program(
            name="sandbox",
            argv=argv,
            is_ready=_asks(lambda: unix_socket_answers(socket_path)),
            stop_signals=((SIGTERM, 3.0),),
            environment=_environment(settings),
            needed=False,
            outlives=1,
        )
    ]


def _postgres(embedded: postgres.Cluster) -> Program:
    async def is_ready(pid: int) -> bool:
        return postgres.is_ready(embedded, pid)

    return Program(
        name="postgres",
        argv=postgres.command(embedded),
        is_ready=is_ready,
        stop_signals=postgres.STOP_SIGNALS,
        death_signal=SIGINT,
        user=postgres.server_user(),
        is_ours=False,
        before=lambda: postgres.remove_stale_pid_file(embedded),
        outlives=2,
    )


def _redis(socket_path: Path) -> Program:
    return Program(
        name="redis",
        argv=redis.command(socket_path),
        is_ready=_asks(lambda: asyncio.to_thread(redis.is_ready, socket_path)),
        stop_signals=redis.STOP_SIGNALS,
        death_signal=SIGTERM,
        is_ours=False,
        outlives=1,
    )


def _api(settings: Settings, name: str, listener: socket.socket) -> Program:
    host, port = address(listener)

    async def lives() -> bool:
        status, _ = await http_status(host, port, "/healthz")
        return status == 200

    return Program(
        name=name,
        argv=_module("runtime", "api", "--fd", str(listener.fileno())),
        is_ready=_asks(lives),
        stop_signals=((SIGTERM, _SHUTDOWN_SECONDS + _MARGIN_SECONDS),),
        environment={**_environment(settings), "ASSISTANTS_API_PROCESSES": "1"},
        descriptors=(listener.fileno(),),
    )


def _worker(settings: Settings, name: str, queue: str) -> Program:
    return Program(
        name=name,
        argv=_module("runtime", "worker", queue),
        stop_signals=((SIGTERM, shutdown_seconds(settings) + _MARGIN_SECONDS),),
        environment=_environment(settings),
    )


def _asks(question: Callable[[], Awaitable[bool]]) -> Callable[[int], Awaitable[bool]]:
    async def is_ready(pid: int) -> bool:
        return await question()

    return is_ready


def _instance(settings: Settings) -> str:
    """A name for this data directory's containers, apart from those of another `up`."""
    return hashlib.sha256(os.fsencode(settings.data_dir)).hexdigest()[:12]


def _module(*arguments: str) -> list[str]:
    # -P: a file of the user's directory never shadows a module of ours.
    return [sys.executable, "-P", "-m", *arguments]


def _environment(settings: Settings) -> dict[str, str]:
    """What our own programs are told on top of what the supervisor was told."""
    return {
        "ASSISTANTS_DATA_DIR": str(settings.data_dir),
        "ASSISTANTS_SHUTDOWN_SECONDS": str(shutdown_seconds(settings)),
        "PYTHONUNBUFFERED": "1",
        **import_path(),
        # Hundreds of threads that wait: one heap each would be most of the memory.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
    }
