"""Start containers: each checked before it serves, some ahead of being needed."""

import asyncio
import hashlib
import logging
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field

import sandbox.limits as restrictions
from sandbox.container import Container, StreamLost
from sandbox.docker_client import Docker, EngineAway, EngineRefused
from sandbox.errors import SandboxError, SandboxUnavailable

log = logging.getLogger("sandbox")

WARM = "warm-"  # begins the key of a container that nobody has yet

# The guest ends itself a while after we should have ended it: only if we are gone.
_IDLE_MARGIN_SECONDS = 300.0
_LIFE_MARGIN_SECONDS = 3600.0  # a call under way at the end of a life is let end

_CLAIM_SECONDS = 5.0
_CLAIM_AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class PoolSettings:
    """How many containers, and for how long. `instance` names this runtime."""

    image: str
    instance: str = "default"
    runtime: str | None = None
    warm: int = 2
    idle_seconds: float = 1200.0
    life_seconds: float = 3600.0
    max_sessions: int = 32
    limits: restrictions.Limits = field(default_factory=restrictions.Limits)

    def name(self, key: str) -> str:
        """What the container of `key` is called; the engine lets no two be called so."""
        return f"assistants-{self.instance}-{key}"

    def is_expired(self, container: Container) -> bool:
        """Whether it has been idle, or alive, for too long."""
        idle = time.monotonic() - container.used_at
        age = time.time() - container.started_at
        return idle > self.idle_seconds or age > self.life_seconds


def session_key(session_id: str) -> str:
    """A session id as part of a container's name, whatever letters it has."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:32]


async def start(docker: Docker, settings: PoolSettings) -> Container:
    """A new container that nobody has yet, found to be as closed as it has to be.

    Raises:
        SandboxUnavailable: its guest does not answer, or a restriction does not hold.
        EngineAway, EngineRefused: the engine could not.
    """
    request = restrictions.create_request(
        image=settings.image,
        instance=settings.instance,
        runtime=settings.runtime,
        idle_seconds=settings.idle_seconds + _IDLE_MARGIN_SECONDS,
        life_seconds=settings.life_seconds + _LIFE_MARGIN_SECONDS,
        limits=settings.limits,
    )
    name = settings.name(f"{WARM}{secrets.token_hex(8)}")
    container = await Container.start(docker, name, request)
    try:
        facts = await container.hello()
        unmet = restrictions.unmet(facts, settings.runtime, settings.limits)
        if unmet:
            raise SandboxUnavailable(
                "Code is not run, because the container is not closed as it has to "
                f"be: {'; '.join(unmet)}. Use another engine or runtime."
            )
    except BaseException as error:
        await container.remove()
        if isinstance(error, StreamLost):
            words = f"Code cannot be run: the sandbox does not start: {error}."
            raise SandboxUnavailable(words) from error
        raise
    return container


async def claim(docker: Docker, container: Container, name: str) -> None:
    """Give the container a name, though one that nobody uses any more may still have it.

    Raises:
        EngineAway, EngineRefused: it cannot be had, and the container is removed.
    """
    try:
        await _rename(docker, container, name)
    except BaseException:
        await container.remove()
        raise


async def _rename(docker: Docker, container: Container, name: str) -> None:
    give_up_at = time.monotonic() + _CLAIM_SECONDS
    is_first = True
    while True:
        try:
            return await container.rename(name)
        except EngineRefused as error:
            if error.status != 409 or time.monotonic() > give_up_at:
                raise
        if is_first:
            is_first = False
            with suppress(EngineRefused):  # it is on its way out already
                await docker.remove_container(name)
        await asyncio.sleep(_CLAIM_AGAIN_SECONDS)


class WarmContainers:
    """Started, checked, with the heavy packages imported, and nobody's yet.

    Kept only while code is being run at all: a runtime that nobody asks for code pays
    nothing for them.
    """

    def __init__(self, docker: Docker, settings: PoolSettings) -> None:
        self._docker = docker
        self._settings = settings
        self._held: list[Container] = []
        self._filling: asyncio.Task[None] | None = None
        self._wanted_at: float | None = None
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._held)

    async def take(self) -> Container | None:
        """One of them, if there is one that is alive and young enough."""
        while self._held:
            container = self._held.pop(0)
            if container.is_attached and not self._is_old(container):
                return container
            await container.remove()
        return None

    def want(self) -> None:
        """Code is being run: bring them up to their number, in the background."""
        self._wanted_at = time.monotonic()
        self._fill_later()

    async def expire(self) -> None:
        """Remove the old and the dead; all of them when none was wanted for long."""
        unwanted = self._wanted_at is None or (
            time.monotonic() - self._wanted_at > self._settings.idle_seconds
        )
        for container in list(self._held):
            if container not in self._held:
                continue  # taken while we removed another
            if unwanted or self._is_old(container) or not container.is_attached:
                self._held.remove(container)
                await container.remove()
        if not unwanted:
            self._fill_later()

    async def close(self) -> None:
        """Start no more, and wait for the one that is being started.

        Cancelling would leave a container behind of which nobody has heard yet.
        """
        self._is_closing = True
        if self._filling is not None:
            await asyncio.wait([self._filling])

    def _is_old(self, container: Container) -> bool:
        # Half a life, so that whoever gets it has the other half at least.
        return time.time() - container.started_at > self._settings.life_seconds / 2

    def _fill_later(self) -> None:
        if self._filling is None or self._filling.done():
            self._filling = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        try:
            while len(self._held) < self._settings.warm and not self._is_closing:
                container = await start(self._docker, self._settings)
                self._held.append(container)
                await container.preload()
        except (SandboxError, EngineAway, EngineRefused) as error:
            log.warning("no warm container error=%s", error)
