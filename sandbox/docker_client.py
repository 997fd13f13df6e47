"""The Docker engine, asked through docker-py without keeping the event loop waiting.

docker-py blocks, so each question is put in a thread. The streams of a container, which
are open for as long as it lives, become asyncio's. docker-py is imported with the first
question only: a process that asks none, as an idle manager does, saves 8 MB.
"""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sandbox.errors import SandboxUnavailable
from sandbox.relay import UnknownAddress, local_address

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

DEFAULT_HOST = "unix:///var/run/docker.sock"

_REPLY_SECONDS = 60
_MAX_THREADS = 8  # the engine itself starts hardly more than two containers at once


class EngineAway(Exception):
    """No engine answers at the endpoint."""


class EngineForbidden(EngineAway):
    """There may be an engine, but this user may not open its socket."""


class EngineRefused(Exception):
    """The engine answered, and the answer was no; `status` as in HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def engine_trouble(error: EngineAway | EngineRefused) -> SandboxUnavailable:
    """An engine's failure as our callers know it, with its remedy."""
    if isinstance(error, EngineForbidden):
        remedy = "as root, run `usermod -aG docker <you>`, and log in again"
        return SandboxUnavailable(f"Code cannot be run: {error}; {remedy}.")
    if isinstance(error, EngineAway):
        remedy = "start Docker, or point DOCKER_HOST at an engine that runs"
        return SandboxUnavailable(f"Code cannot be run: {error}; {remedy}.")
    if "No such image" in str(error):
        remedy = "run `assistants sandbox build`"
        return SandboxUnavailable(f"Code cannot be run: {error}; {remedy}.")
    return SandboxUnavailable(f"Code cannot be run: the engine says: {error}")


class Docker:
    """One engine; a context manager that hangs up at its end.

    Args:
        host: `unix://`, `tcp://` (with TLS when DOCKER_TLS_VERIFY is set, certificates in
            DOCKER_CERT_PATH) or `ssh://`; by default DOCKER_HOST, else the local socket.
    """

    def __init__(self, host: str | None = None) -> None:
        self.host = host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self._api: APIClient | None = None
        self._connecting = asyncio.Lock()
        self._threads = asyncio.Semaphore(_MAX_THREADS)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up; streams of containers stay open. A later question connects anew."""
        api, self._api = self._api, None
        if api is not None:
            api.close()
        await self._open.aclose()

    async def ask(
        self,
        question: Callable[["APIClient"], T],
        *,
        seconds: float | None = _REPLY_SECONDS,
    ) -> T:
        """What docker-py answers to `question`, which is called in a thread.

        After `seconds` nobody waits any more; whether the engine still does what it was
        asked for is then not known.

        Raises:
            EngineAway: nobody answers, or not in time; EngineForbidden: we may not ask.
            EngineRefused: the answer is an error.
        """
        try:
            async with asyncio.timeout(seconds):
                api = await self._connected()
                return await self._in_thread(lambda: question(api))
        except PermissionError as error:
            words = f"this user may not use the Docker engine at {self.host}"
            raise EngineForbidden(words) from error
        except OSError as error:  # TimeoutError is one
            raise EngineAway(f"no Docker engine answers at {self.host}") from error
        except UnknownAddress as error:
            words = f"DOCKER_HOST is no address that is known: {self.host}"
            raise EngineAway(words) from error
        except EngineRefused as error:
            if error.status == 400:  # perhaps the engine has been upgraded meanwhile
                self._api = None  # so speak the version of its API next time
            raise

    async def follow(
        self, question: Callable[["APIClient"], Iterable[dict[str, Any]]]
    ) -> None:
        """Ask for something long (pull, import, build) and wait for its end, without limit.

        Raises:
            EngineAway, EngineRefused: as `ask`; also when a message tells an error.
        """

        def to_the_end(api: "APIClient") -> None:
            for message in question(api):
                if "error" in message:
                    raise EngineRefused(500, str(message["error"]))

        await self.ask(to_the_end, seconds=None)

    async def version(self) -> dict[str, Any]:
        """What the engine is: `Version`, `Arch`, `Os`, …"""
        return await self.ask(lambda api: api.version(api_version=False))

    async def create_container(
        self, request: dict[str, Any], name: str | None = None
    ) -> str:
        """Create a container from the body of a create request; returns its id."""
        made = await self.ask(
            lambda api: api.create_container_from_config(request, name)  # type: ignore[no-untyped-call]  # in the stubs
        )
        return str(made["Id"])

    async def containers(self, label: str) -> list[dict[str, Any]]:
        """Those with this label (`name` or `name=value`), whether they run or not."""
        filters = {"label": label}
        found: list[dict[str, Any]] = await self.ask(
            lambda api: api.containers(all=True, filters=filters)
        )
        return found

    async def inspect_container(self, container_id: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        known: dict[str, Any] = await self.ask(
            lambda api: api.inspect_container(container_id)
        )
        return known

    async def remove_container(self, container_id: str) -> None:
        """End a container and remove it with its volumes."""
        await self.ask(
            lambda api: api.remove_container(container_id, v=True, force=True)
        )

    async def attach(self, container_id: str) -> Streams:
        """The container's standard streams, both ways; the reply is multiplexed."""
        wanted = {"stream": 1, "stdin": 1, "stdout": 1, "stderr": 1}
        own, early = await self.ask(
            lambda api: _take_over(api.attach_socket(container_id, params=wanted))
        )
        reader = asyncio.StreamReader()
        reader.feed_data(early)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: protocol, sock=own)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _connected(self) -> "APIClient":
        async with self._connecting:
            if self._api is None:
                await self._open.aclose()
                near = local_address(self.host)
                address = await self._open.enter_async_context(near)
                self._api = await self._in_thread(lambda: _connect(address))
            return self._api

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Not `asyncio.to_thread`: its threads are waited for when the process ends.

        One that waits for a hung engine, or for a build, would hold Ctrl-C for minutes.
        """
        await self._threads.acquire()
        loop = asyncio.get_running_loop()
        ended: Future[T] = Future()
        ended.set_running_or_notify_cancel()  # from now on it cannot be cancelled

        def run() -> None:
            try:
                ended.set_result(_translated(work))
            except BaseException as error:  # noqa: BLE001  # whoever awaits it gets it
                ended.set_exception(error)
            with suppress(RuntimeError):  # the loop has ended before us
                loop.call_soon_threadsafe(self._threads.release)

        threading.Thread(target=run, name="docker", daemon=True).start()
        return await asyncio.wrap_future(ended)


def blocks(data: AsyncIterable[bytes]) -> Iterator[bytes]:
    """What the event loop makes, for a thread to send. To be called on the loop."""
    loop = asyncio.get_running_loop()
    source = aiter(data)

    async def following() -> bytes:
        return await anext(source, b"")

    def take() -> Iterator[bytes]:
        while block := asyncio.run_coroutine_threadsafe(following(), loop).result():
            yield block

    return take()


def _translated(work: Callable[[], T]) -> T:
    """Its errors as EngineRefused or OSError, which those of requests are already."""
    from docker.errors import APIError, DockerException
    from urllib3.exceptions import HTTPError

    try:
        return work()
    except APIError as error:
        words = str(error.explanation or error)
        raise EngineRefused(error.status_code or 500, words) from error
    except (DockerException, HTTPError) as error:
        raise OSError("docker-py gets no answer") from error


def _connect(address: str) -> "APIClient":
    from docker import APIClient

    api = APIClient(address, version="auto", timeout=_REPLY_SECONDS)
    # It would keep a connection for each URL, and those of containers are never asked twice.
    api.headers["Connection"] = "close"
    api.trust_env = False  # else it looks for proxies and .netrc at each request
    return api


def _take_over(stream: Any) -> tuple[socket.socket, bytes]:
    """The socket under docker-py's attach, and what came on it along with the head.

    docker-py leaves these to private names. Without the second, a guest that speaks at
    the moment of attaching would lose the start of its frame, and we all that follows.
    """
    response, shared = stream._response, stream._sock
    own: socket.socket = shared.dup()
    own.setblocking(False)
    shared.settimeout(0)  # so that looking for what came does not wait for it
    early: bytes = response.raw._fp.fp.peek()
    response.close()
    return own, early
