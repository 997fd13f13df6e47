"""Which container belongs to which session: start, adopt, keep warm, expire, remove.

A container's name says whose it is, so the engine itself is the register: a manager that
starts finds the sessions of the one before it, and two cannot give a session two
containers, because a name can be had only once. Labels keep several runtimes on one
engine apart.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import sandbox.limits as restrictions
from sandbox.container import Container, StreamLost, engine_trouble
from sandbox.docker_http import Docker, EngineAway, EngineRefused
from sandbox.errors import SandboxError, SandboxUnavailable, SessionLost
from sandbox.outcome import Outcome, Session

log = logging.getLogger("sandbox")

# The guest ends itself a while after we should have ended it: only if we are gone.
_GUEST_MARGIN_SECONDS = 300.0
_CALL_MARGIN_SECONDS = 3600.0  # a call under way at the end of a life is let end


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


class Pool:
    """The containers of one manager."""

    def __init__(self, docker: Docker, settings: PoolSettings) -> None:
        self._docker = docker
        self._settings = settings
        self._sessions: OrderedDict[str, Container] = OrderedDict()  # oldest use first
        self._opening: dict[str, asyncio.Lock] = {}
        self._warm: list[Container] = []
        self._opened_at: float | None = None
        self._adopted = asyncio.Lock()
        self._has_adopted = False
        self._filling: asyncio.Task[None] | None = None

    # Sessions

    async def open(self, session_id: str) -> Session:
        """The session's container: the one it has, or a new one.

        Raises:
            SandboxUnavailable: no engine, no image, no room; says which.
        """
        key = _key(session_id)
        await self.adopt()
        self._opened_at = time.monotonic()
        async with self._opening.setdefault(key, asyncio.Lock()):
            container = self._sessions.get(key)
            if container is not None and await self._is_usable(container):
                with suppress(StreamLost):
                    async with self._using(key, container):
                        return Session(container.epoch, False, await container.files())
            if container is not None:
                await self._forget(key)
            container = await self._assign(key)
        self._opening.pop(key, None)
        self._fill_later()
        return Session(container.epoch, True, {})

    async def end(self, session_id: str) -> None:
        """Remove the session's container; one that has none is no error."""
        await self.adopt()
        await self._forget(_key(session_id))

    @asynccontextmanager
    async def using(self, session_id: str, epoch: str) -> AsyncIterator[Container]:
        """The container of this session and epoch, kept from expiring meanwhile.

        Raises:
            SessionLost: it is gone, or the session has another by now.
        """
        await self.adopt()
        key = _key(session_id)
        container = self._sessions.get(key)
        if container is None or container.epoch != epoch:
            raise SessionLost(
                "The session's container has been replaced or has expired: its variables "
                "and files are gone, and it cannot be known whether the call ran."
            )
        async with self._using(key, container):
            yield container

    @asynccontextmanager
    async def _using(self, key: str, container: Container) -> AsyncIterator[None]:
        container.busy += 1
        if key in self._sessions:
            self._sessions.move_to_end(key)
        try:
            yield
        finally:
            container.busy -= 1
            container.used_at = time.monotonic()

    async def execute(
        self,
        session_id: str,
        epoch: str,
        call_id: str,
        code: str,
        timeout_seconds: float,
    ) -> Outcome:
        """Run code, one call at a time per session. See `SandboxClient.execute`."""
        async with self.using(session_id, epoch) as container, container.turn:
            try:
                return await container.execute(call_id, code, timeout_seconds)
            except StreamLost:
                if not await self._reattach(container):
                    await self._forget(_key(session_id))
                    return _CRASHED
            try:
                # The same call id: what ran is answered from the guest's journal.
                return await container.execute(call_id, code, timeout_seconds)
            except StreamLost:
                await self._forget(_key(session_id))
                return _CRASHED

    async def interrupt(self, session_id: str, call_id: str) -> None:
        """Stop a running call; one that is not running is no error."""
        await self.adopt()
        container = self._sessions.get(_key(session_id))
        if container is not None:
            with suppress(StreamLost):
                await container.interrupt(call_id)

    async def _reattach(self, container: Container) -> bool:
        """Whether a broken stream could be opened again; a stuck guest's is not broken."""
        if container.is_attached:
            return False
        try:
            if not await container.is_running():
                return False
            await container.attach()
            await container.hello()
        except (StreamLost, EngineAway, EngineRefused):
            return False
        return True

    async def _is_usable(self, container: Container) -> bool:
        if self._is_expired(container):
            return False
        return container.is_attached or await self._reattach(container)

    async def _assign(self, key: str) -> Container:
        await self._make_room()
        try:
            container = await self._take_warm() or await self._start()
            try:
                await container.rename(self._name(key))
            except BaseException:
                await container.remove()
                raise
        except (EngineAway, EngineRefused) as error:
            raise engine_trouble(error) from error
        self._sessions[key] = container
        container.used_at = time.monotonic()
        return container

    async def _make_room(self) -> None:
        """Under the cap, the session not used for longest gives way."""
        while len(self._sessions) >= self._settings.max_sessions:
            idle = (key for key, held in self._sessions.items() if not held.busy)
            oldest = next(idle, None)
            if oldest is None:
                raise SandboxUnavailable(
                    f"All {self._settings.max_sessions} sandboxes are busy; try again, "
                    "or raise the manager's --max-sessions."
                )
            await self._forget(oldest)

    async def _forget(self, key: str) -> None:
        container = self._sessions.pop(key, None)
        if container is not None:
            await container.remove()

    # Starting

    async def check(self) -> None:
        """Start a container and see that every restriction holds, then keep it warm.

        Raises:
            SandboxUnavailable: none can be started, or a restriction does not hold.
        """
        if self._sessions or self._warm:
            return  # those have been checked when they were started
        try:
            container = await self._start()
        except (EngineAway, EngineRefused) as error:
            raise engine_trouble(error) from error
        await container.remove()

    async def _start(self) -> Container:
        settings = self._settings
        request = restrictions.create_request(
            image=settings.image,
            instance=settings.instance,
            runtime=settings.runtime,
            idle_seconds=settings.idle_seconds + _GUEST_MARGIN_SECONDS,
            life_seconds=settings.life_seconds + _CALL_MARGIN_SECONDS,
            limits=settings.limits,
        )
        name = self._name(f"warm-{secrets.token_hex(8)}")
        container = await Container.start(self._docker, name, request)
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

    def _name(self, key: str) -> str:
        return f"assistants-{self._settings.instance}-{key}"

    # Warm containers

    async def _take_warm(self) -> Container | None:
        while self._warm:
            container = self._warm.pop(0)
            if not self._is_expired(container) and await self._is_usable(container):
                return container
            await container.remove()
        return None

    def _fill_later(self) -> None:
        if self._filling is None or self._filling.done():
            self._filling = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        """Bring the warm ones up to their number. Only once code is being run at all:
        a runtime that nobody asks for code pays nothing for it."""
        try:
            while len(self._warm) < self._settings.warm:
                container = await self._start()
                self._warm.append(container)
                await container.preload()
        except (SandboxError, EngineAway, EngineRefused) as error:
            log.warning("no warm container error=%s", error)

    # Time

    async def keep_time(self) -> None:
        """Remove what has expired, for ever. The next look is never far off."""
        pause = min(15.0, max(0.2, self._settings.idle_seconds / 4))
        while True:
            with suppress(SandboxUnavailable):  # the engine is away: try later
                await self.adopt()
                await self._expire()
            await asyncio.sleep(pause)

    async def _expire(self) -> None:
        for key, container in list(self._sessions.items()):
            if not container.busy and self._is_expired(container):
                await self._forget(key)
        unused = self._opened_at is None or (
            time.monotonic() - self._opened_at > self._settings.idle_seconds
        )
        for container in list(self._warm):
            if unused or not container.is_attached:
                self._warm.remove(container)
                await container.remove()
        if not unused:
            self._fill_later()

    def _is_expired(self, container: Container) -> bool:
        idle = time.monotonic() - container.used_at
        age = time.time() - container.started_at
        settings = self._settings
        is_warm = container in self._warm
        return (idle > settings.idle_seconds and not is_warm) or (
            age > settings.life_seconds
        )

    # Beginning and end of the manager

    async def adopt(self) -> None:
        """Once: take over the sessions of the manager before us, remove its leftovers.

        Raises:
            SandboxUnavailable: the engine does not answer; asked again next time.
        """
        async with self._adopted:
            if self._has_adopted:
                return
            try:
                await self._adopt_all()
            except (EngineAway, EngineRefused) as error:
                raise engine_trouble(error) from error
            self._has_adopted = True

    async def _adopt_all(self) -> None:
        label = f"{restrictions.LABEL_INSTANCE}={self._settings.instance}"
        query = {"all": 1, "filters": f'{{"label": ["{label}"]}}'}
        prefix = self._name("")
        for found in await self._docker.request("GET", "/containers/json", query=query):
            container = Container(self._docker, found["Id"], float(found["Created"]))
            key = found["Names"][0].lstrip("/").removeprefix(prefix)
            if (
                key.startswith("warm-")
                or found["Image"] != self._settings.image
                or self._is_expired(container)
                or not await self._reattach(container)
            ):
                await container.remove()
            else:
                self._sessions[key] = container

    async def close(self, *, keep_sessions: bool) -> None:
        """Remove the warm containers and, unless they are kept, those of sessions."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
        leaving = list(self._warm)
        if not keep_sessions:
            leaving += self._sessions.values()
        await asyncio.gather(*(container.remove() for container in leaving))


_CRASHED = Outcome(
    status="crashed",
    logs="[The sandbox ended unexpectedly: all variables were lost.]",
    variables_lost=True,
)


def _key(session_id: str) -> str:
    """A session id as part of a container's name, whatever letters it has."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:32]
