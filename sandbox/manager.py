"""The sandbox manager: the one process that may talk to the Docker engine.

    python -m sandbox.manager --listen unix:///run/sandbox.sock --token-file token

Workers ask it over an authenticated socket (`link`, `client`) to open a session, run
code, move files. What they say never reaches a container's settings. It answers also
while the engine is away, by saying so, and finds the engine when it is back.
"""

import argparse
import asyncio
import hmac
import logging
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sandbox import link, protocol
from sandbox.docker_client import Docker, EngineAway, EngineRefused, engine_trouble
from sandbox.errors import SandboxError
from sandbox.link import Link, LinkBroken, Message
from sandbox.outcome import Outcome, write_outcome
from sandbox.pool import Pool
from sandbox.starting import PoolSettings

log = logging.getLogger("sandbox")

_GREETING_SECONDS = 10.0
_STOP_SECONDS = 2.5
_MAX_CALL_SECONDS = 3600.0


@dataclass(frozen=True)
class ManagerSettings:
    """Where to listen, who may ask, and what to do with sessions when stopped."""

    listen: str  # unix:///path or tcp://host:port
    token: str
    pool: PoolSettings
    docker_host: str | None = None
    keep_sessions: bool = False


class Manager:
    """Serves requests from a pool of containers."""

    def __init__(self, settings: ManagerSettings) -> None:
        self._settings = settings
        self._docker = Docker(settings.docker_host)
        self._pool = Pool(self._docker, settings.pool)
        # Calls go on when whoever asked has gone; who asks again joins the running one.
        self._calls: dict[tuple[str, str], asyncio.Task[Outcome]] = {}

    async def serve(self, stopping: asyncio.Event) -> None:
        """Listen until `stopping` is set, then leave nothing behind that is not kept."""
        server = await self._listen()
        keeping_time = asyncio.create_task(self._pool.keep_time())
        log.info("sandbox manager listens url=%s", self._settings.listen)
        try:
            await stopping.wait()
        finally:
            server.close()
            keeping_time.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    keep = self._settings.keep_sessions
                    await self._pool.close(keep_sessions=keep)
            for call in self._calls.values():
                call.cancel()
            await self._docker.close()

    async def _listen(self) -> asyncio.Server:
        address = urlsplit(self._settings.listen)
        if address.scheme == "tcp":
            return await asyncio.start_server(
                self._on_connection,
                address.hostname,
                address.port,
                limit=link.MAX_REQUEST_LINE_BYTES,
            )
        with suppress(FileNotFoundError):
            os.unlink(address.path)  # left by one that was killed
        before = os.umask(0o177)  # only our own user may connect, from the first moment
        try:
            return await asyncio.start_unix_server(
                self._on_connection, address.path, limit=link.MAX_REQUEST_LINE_BYTES
            )
        finally:
            os.umask(before)

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connection = Link(reader, writer)
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                request = await self._greet(connection)
            if request is not None:
                await self._answer(connection, request)
        except (LinkBroken, TimeoutError, asyncio.CancelledError):
            pass  # whoever asked has gone, or we are leaving
        finally:
            await connection.close()

    async def _greet(self, connection: Link) -> Message | None:
        nonce = secrets.token_hex(16)
        await connection.send({"nonce": nonce})
        greeting, _ = await connection.receive(max_blob_bytes=0)
        expected = link.proof(self._settings.token, nonce).encode()
        given = str(greeting.get("proof")).encode("utf-8", "surrogatepass")
        if hmac.compare_digest(given, expected):
            await connection.send({})
            request, body = await connection.receive()
            return {**request, "body": body}
        log.warning("request refused: wrong token")
        words = "The sandbox manager does not accept this token."
        await _send_error(connection, SandboxError(words))
        return None

    async def _answer(self, connection: Link, request: Message) -> None:
        handler = _HANDLERS.get(str(request.get("do")))
        try:
            if handler is None:
                raise SandboxError("The sandbox manager does not know this request.")
            await handler(self, connection, request)
        except SandboxError as error:
            await _send_error(connection, error)
        except (EngineAway, EngineRefused) as error:
            await _send_error(connection, engine_trouble(error))
        except (KeyError, TypeError, ValueError):
            words = "The request to the sandbox manager is not well formed."
            await _send_error(connection, SandboxError(words))

    async def _open(self, connection: Link, request: Message) -> None:
        session = await self._pool.open(str(request["session"]))
        await connection.send(asdict(session))

    async def _execute(self, connection: Link, request: Message) -> None:
        key = (str(request["session"]), str(request["call"]))
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = asyncio.create_task(self._run(request))
            call.add_done_callback(lambda ended: self._calls.pop(key, None))
        outcome = await asyncio.shield(call)
        for image in outcome.images:
            await connection.send({"image": True}, image.data)
        await connection.send(write_outcome(outcome))

    async def _run(self, request: Message) -> Outcome:
        if len(request["body"]) > protocol.MAX_CODE_BYTES:
            raise SandboxError("The code is longer than a megabyte.")
        code = request["body"].decode("utf-8", "surrogatepass")
        seconds = min(float(request["timeout_seconds"]), _MAX_CALL_SECONDS)
        return await self._pool.execute(
            str(request["session"]),
            str(request["epoch"]),
            str(request["call"]),
            code,
            seconds,
        )

    async def _interrupt(self, connection: Link, request: Message) -> None:
        await self._pool.interrupt(str(request["session"]), str(request["call"]))
        await connection.send({})

    async def _put(self, connection: Link, request: Message) -> None:
        blobs = connection.blobs()
        session_id, epoch = str(request["session"]), str(request["epoch"])
        try:
            async with self._pool.using(session_id, epoch) as container:
                await container.put(str(request["name"]), blobs)
        except SandboxError:
            # Hanging up on someone who still speaks would lose our answer.
            async for _ in blobs:
                pass
            raise
        await connection.send({})

    async def _read(self, connection: Link, request: Message) -> None:
        async with self._pool.using(
            str(request["session"]), str(request["epoch"])
        ) as container:
            async for block in container.read(str(request["name"])):
                await connection.send({}, block)
        await connection.send({"end": True})

    async def _end(self, connection: Link, request: Message) -> None:
        await self._pool.end(str(request["session"]))
        await connection.send({})

    async def _health(self, connection: Link, _: Message) -> None:
        version = await self._pool.try_out()
        words = f"Docker {version} answers and every restriction holds."
        await connection.send({"sentences": [words]})


async def _send_error(connection: Link, error: SandboxError) -> None:
    await connection.send({"error": type(error).__name__, "message": str(error)})


_HANDLERS: dict[str, Callable[[Manager, Link, Message], Awaitable[None]]] = {
    "open": Manager._open,
    "execute": Manager._execute,
    "interrupt": Manager._interrupt,
    "put": Manager._put,
    "read": Manager._read,
    "end": Manager._end,
    "health": Manager._health,
}


async def run(settings: ManagerSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await Manager(settings).serve(stopping)


def parse(arguments: list[str]) -> ManagerSettings:
    """The settings from a command line; exits with status 2 on wrong use."""
    defaults = PoolSettings(image="")
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.manager",
        description="Run code for workers in containers; holds the Docker endpoint.",
    )
    parser.add_argument(
        "--listen", required=True, help="unix:///path or tcp://host:port"
    )
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument(
        "--image", help="default: the one `assistants sandbox build` makes"
    )
    parser.add_argument(
        "--instance", default=defaults.instance, help="name of this runtime"
    )
    parser.add_argument(
        "--runtime", help="runc, runsc, kata; default: the engine's own"
    )
    parser.add_argument("--warm", type=int, default=defaults.warm)
    parser.add_argument("--idle-seconds", type=float, default=defaults.idle_seconds)
    parser.add_argument("--life-seconds", type=float, default=defaults.life_seconds)
    parser.add_argument("--max-sessions", type=int, default=defaults.max_sessions)
    parser.add_argument(
        "--keep-sessions",
        action="store_true",
        help="leave the sessions' containers to the next manager when stopped",
    )
    given = parser.parse_args(arguments)
    if not given.instance.replace("-", "").isalnum() or not given.instance.isascii():
        parser.error("--instance takes letters, digits and hyphens")
    pool = PoolSettings(
        image=given.image or _built_image(),
        instance=given.instance,
        runtime=given.runtime,
        warm=given.warm,
        idle_seconds=given.idle_seconds,
        life_seconds=given.life_seconds,
        max_sessions=given.max_sessions,
    )
    try:
        token = given.token_file.read_text("utf-8").strip()
    except OSError as error:
        parser.error(f"the token file cannot be read: {error.strerror}")
    if not token:
        parser.error("the token file is empty")
    return ManagerSettings(
        listen=given.listen, token=token, pool=pool, keep_sessions=given.keep_sessions
    )


def _built_image() -> str:
    from sandbox.images import image_name

    return image_name()


def main(arguments: list[str] | None = None) -> None:
    """The command's own entry."""
    settings = parse(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
