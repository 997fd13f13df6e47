"""Which container belongs to which session: start, adopt, keep warm, expire, remove.

A container's name says whose it is, so the engine itself is the register: a manager that
starts finds the sessions of the one before it, and two cannot give a session two
containers, because a name can be had only once. Labels keep several runtimes on one
engine apart.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakValueDictionary

from sandbox.container import Container, Overdue, StreamLost
from sandbox.docker_client import Docker, EngineAway, EngineRefused, engine_trouble
from sandbox.errors import SandboxUnavailable, SessionLost
from sandbox.limits import LABEL_INSTANCE
from sandbox.outcome import CRASHED, OVERDUE, Outcome, Session
from sandbox.starting import (
    WARM,
    PoolSettings,
    WarmContainers,
    claim,
    session_key,
    start,
)
from sandbox.trial import try_apart

log = logging.getLogger("sandbox")


class Pool:
    """The containers of one manager."""

    def __init__(self, docker: Docker, settings: PoolSettings) -> None:
        self._docker = docker
        self._settings = settings
        self._sessions: OrderedDict[str, Container] = OrderedDict()  # oldest use first
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._starting = 0  # sessions whose container is not there yet
        self._unremoved: list[Container] = []  # the engine would not, so far
        self._warm = WarmContainers(docker, settings)
        self._adopted = asyncio.Lock()
        self._has_adopted = False

    # Sessions

    async def open(self, session_id: str) -> Session:
        """The session's container: the one it has, or a new one.

        Raises:
            SandboxUnavailable: no engine, no image, no room; says which.
        """
        key = session_key(session_id)
        await self.adopt()
        async with self._opening.setdefault(key, asyncio.Lock()):
            container = self._sessions.get(key)
            if container is not None and await self._is_usable(container):
                with suppress(StreamLost):
                    async with self._using(key, container):
                        return Session(container.epoch, False, await container.files())
            if container is not None:
                await self._forget(key, container)
            container = await self._assign(key)
        self._warm.want()
        return Session(container.epoch, True, {})

    async def end(self, session_id: str) -> None:
        """Remove the session's container; one that has none is no error."""
        await self.adopt()
        key = session_key(session_id)
        container = self._sessions.get(key)
        if container is not None:
            await self._forget(key, container)

    @asynccontextmanager
    async def using(self, session_id: str, epoch: str) -> AsyncIterator[Container]:
        """The container of this session and epoch, kept from expiring meanwhile.

        Raises:
            SessionLost: it is gone, or the session has another by now.
        """
        await self.adopt()
        key = session_key(session_id)
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
                return await self._execute(container, call_id, code, timeout_seconds)
            except StreamLost as error:
                await self._forget(session_key(session_id), container)
                return OVERDUE if isinstance(error, Overdue) else CRASHED

    async def _execute(
        self, container: Container, call_id: str, code: str, timeout_seconds: float
    ) -> Outcome:
        try:
            return await container.execute(call_id, code, timeout_seconds)
        except Overdue:
            raise
        except StreamLost:
            if not await self._reattach(container):
                raise
        # The same call id: what ran is answered from the guest's journal.
        return await container.execute(call_id, code, timeout_seconds)

    async def interrupt(self, session_id: str, call_id: str) -> None:
        """Stop a running call; one that is not running is no error."""
        await self.adopt()
        container = self._sessions.get(session_key(session_id))
        if container is not None:
            with suppress(StreamLost):
                await container.interrupt(call_id)

    async def _reattach(self, container: Container) -> bool:
        """Whether a broken stream could be opened again, to the same guest."""
        try:
            async with container.attaching:
                if container.is_attached:
                    return True  # somebody else has done it meanwhile
                if not await container.is_running():
                    return False
                await container.attach()
                await container.hello()
        except (StreamLost, EngineAway, EngineRefused):
            return False
        return True

    async def _is_usable(self, container: Container) -> bool:
        if self._settings.is_expired(container) and not container.busy:
            return False
        return container.is_attached or await self._reattach(container)

    async def _assign(self, key: str) -> Container:
        self._starting += 1
        try:
            await self._make_room()
            container = await self._start(key)
            self._sessions[key] = container
        finally:
            self._starting -= 1
        container.used_at = time.monotonic()
        return container

    async def _start(self, key: str) -> Container:
        try:
            container = await self._warm.take() or await start(
                self._docker, self._settings
            )
            await claim(self._docker, container, self._settings.name(key))
        except (EngineAway, EngineRefused) as error:
            raise engine_trouble(error) from error
        return container

    async def _make_room(self) -> None:
        """Under the cap, the session not used for longest gives way."""
        while len(self._sessions) + self._starting > self._settings.max_sessions:
            idle = (item for item in self._sessions.items() if not item[1].busy)
            oldest = next(idle, None)
            if oldest is None:
                raise SandboxUnavailable(
                    f"All {self._settings.max_sessions} sandboxes are busy; try again, "
                    "or raise the manager's --max-sessions."
                )
            await self._forget(*oldest)

    async def _forget(self, key: str, container: Container) -> None:
        """Remove this container, and the session unless it has another by now."""
        if self._sessions.get(key) is container:
            del self._sessions[key]
        if not await container.remove():
            self._unremoved.append(container)

    # Starting

    async def try_out(self) -> str:
        """`check`, by a process of its own while nobody else wants the engine."""
        async with self._adopted:
            if not self._has_adopted:
                return await try_apart(self._docker.host, self._settings)
        return await self.check()

    async def check(self) -> str:
        """The engine's version, once a container is known to keep every restriction.

        Raises:
            SandboxUnavailable: none can be started, or a restriction does not hold.
        """
        try:
            version = await self._docker.version()
            # Those that there are have been checked when they were started.
            if not (self._sessions or self._warm):
                await (await start(self._docker, self._settings)).remove()
        except (EngineAway, EngineRefused) as error:
            raise engine_trouble(error) from error
        return str(version["Version"])

    # Time

    async def keep_time(self) -> None:
        """Remove what has expired, for ever. The next look is never far off."""
        pause = min(15.0, max(0.2, self._settings.idle_seconds / 4))
        while True:
            if self._has_adopted:
                try:
                    await self._expire()
                except Exception:  # the next look may well succeed
                    log.exception("expired containers could not be removed")
            await asyncio.sleep(pause)

    async def _expire(self) -> None:
        for key, container in list(self._sessions.items()):
            if not container.busy and self._settings.is_expired(container):
                await self._forget(key, container)
        for container in list(self._unremoved):
            if await container.remove():
                self._unremoved.remove(container)
        await self._warm.expire()

    # Beginning and end of the manager

    async def adopt(self) -> None:
        """Once: take over the sessions of the manager before us, remove its leftovers.

        Not before somebody wants the engine: until then it costs us nothing, and what is
        left over ends by itself.

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
        for key, found in await self._find_all():
            container = Container(self._docker, found["Id"], float(found["Created"]))
            if (
                key.startswith(WARM)
                or found["Image"] != self._settings.image
                or self._settings.is_expired(container)
                or not await self._reattach(container)
            ):
                await container.remove()
            else:
                self._sessions[key] = container

    async def _find_all(self) -> list[tuple[str, dict[str, Any]]]:
        """The containers of this instance as the engine knows them, by their keys."""
        label = f"{LABEL_INSTANCE}={self._settings.instance}"
        found = await self._docker.containers(label)
        prefix = "/" + self._settings.name("")
        return [(each["Names"][0].removeprefix(prefix), each) for each in found]

    async def close(self, *, keep_sessions: bool) -> None:
        """Remove the warm containers and, unless they are kept, those of sessions."""
        await self._warm.close()
        with suppress(EngineAway, EngineRefused):
            leaving = [
                Container(self._docker, found["Id"], 0.0).remove()
                for key, found in await self._find_all()
                if key.startswith(WARM) or not keep_sessions
            ]
            await asyncio.gather(*leaving)
