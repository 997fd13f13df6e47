"""What one worker process holds: its loop, its resources, its heartbeats."""

import asyncio
import contextlib
import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

from runtime.engine.claim import Claims, Interruption
from runtime.engine.engine import Engine
from runtime.engine.times import EngineTimes
from runtime.ingest.pipeline import Ingest
from runtime.resources import Resources, open_resources
from runtime.settings import Settings
from runtime.worker import background
from runtime.worker.loop import Loop
from sandbox import SandboxClient

loop = Loop()

# Under `up` a worker has 1.5 s more than its turns have.
_HAND_BACK_SECONDS = 1


@dataclass(slots=True)
class Process:
    """The parts of this process, all belonging to its one loop."""

    resources: Resources
    engine: Engine
    ingest: Ingest
    closing: contextlib.AsyncExitStack
    background: list[asyncio.Task[None]] = field(default_factory=list)


_process: Process | None = None


def process() -> Process:
    """This process' parts. They are opened when the worker starts."""
    if _process is None:
        raise RuntimeError("the worker process has not been started")
    return _process


def start(settings: Settings, *, drives_runs: bool) -> None:
    """Open everything; a process that drives runs also listens, beats and sweeps."""
    loop.run(_start(settings, drives_runs))


def stop(seconds: float) -> None:
    """Let turns under way finish, at most so long, hand back the rest, close."""
    if _process is not None:
        loop.run(_stop(seconds))


def stop_soon(seconds: float) -> None:
    """The same, not waited for: the tasks whose runs are under way end by it."""
    if _process is not None:
        loop.submit(_stop(seconds))


async def _start(settings: Settings, drives_runs: bool) -> None:
    global _process
    closing = contextlib.AsyncExitStack()
    resources = await closing.enter_async_context(open_resources(settings))
    # A name for logs and leases; the fencing token is what decides.
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    sandbox = _sandbox(settings)
    if sandbox is not None:
        closing.push_async_callback(sandbox.close)
    engine = _engine(settings, resources, owner, sandbox)
    ingest = _ingest(settings, resources, owner)
    _process = Process(resources, engine, ingest, closing)
    if drives_runs:
        _process.background = background.begin(engine, ingest)


def _engine(
    settings: Settings, resources: Resources, owner: str, sandbox: SandboxClient | None
) -> Engine:
    times = EngineTimes(
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        sweep_seconds=settings.sweep_seconds,
        code_seconds=settings.code_seconds,
        max_attempts=settings.max_attempts,
    )
    claims = Claims(
        resources.db,
        owner,
        lease_seconds=times.lease_seconds,
        max_attempts=times.max_attempts,
    )
    return Engine(
        db=resources.db,
        bus=resources.bus,
        gateway=resources.gateway,
        storage=resources.storage,
        claims=claims,
        times=times,
        sandbox=sandbox,
    )


def _ingest(settings: Settings, resources: Resources, owner: str) -> Ingest:
    return Ingest(
        db=resources.db,
        gateway=resources.gateway,
        storage=resources.storage,
        owner=owner,
        lease_seconds=settings.lease_seconds,
        max_attempts=settings.max_attempts,
        parse_seconds=settings.parse_seconds,
    )


def _sandbox(settings: Settings) -> SandboxClient | None:
    if settings.sandbox == "off":
        return None
    token = settings.sandbox_token
    if token is None:
        token = _read_token(settings.sandbox_token_file)
    return SandboxClient(settings.effective_sandbox_url, token)


def _read_token(path: Path) -> str:
    # Without it the manager refuses us, and the run's step says so.
    return path.read_text().strip() if path.exists() else ""


async def _stop(seconds: float) -> None:
    assert _process is not None  # the caller looked
    stopping, engine = _process, _process.engine
    if engine.stopping:
        return  # told twice
    # It stays where it is: a nudge that still comes finds it stopping, and is let go.
    engine.stopping = stopping.ingest.stopping = True
    await engine.claims.wait_idle(seconds)
    engine.claims.interrupt_all(Interruption.SHUTDOWN)
    await engine.claims.wait_idle(_HAND_BACK_SECONDS)
    for task in stopping.background:
        task.cancel()
    await asyncio.gather(*stopping.background, return_exceptions=True)
    await stopping.closing.aclose()
