"""A door on this machine to an engine elsewhere, for docker-py to knock at.

docker-py is only ever given a unix socket. The stream of a container that it opens there
can be handed on to asyncio, which takes over no TLS connection of somebody else's; and
`ssh://` works with nothing but the `ssh` command.
"""

import asyncio
import logging
import os
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

log = logging.getLogger("sandbox")

_CONNECT_SECONDS = 5
_PLAIN_PORT, _TLS_PORT = 2375, 2376
_BLOCK_BYTES = 1 << 16

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class UnknownAddress(ValueError):
    """Neither `unix://`, `tcp://`, `http://`, `https://` nor `ssh://`."""


@asynccontextmanager
async def local_address(host: str) -> AsyncIterator[str]:
    """A `unix://` address that leads to the engine at `host`.

    Raises:
        UnknownAddress: `host` is of no kind that is known.
        OSError: nobody listens at a unix socket. Whether somebody does
            elsewhere is seen by whoever connects.
    """
    scheme = urlsplit(host).scheme
    if scheme == "unix":
        await _knock(urlsplit(host).path)
        yield host
        return
    if scheme not in ("tcp", "http", "https", "ssh"):
        raise UnknownAddress(host)

    async def on_connection(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with _far_side(host) as far:
                await _carry((reader, writer), far)
        except OSError as error:  # TimeoutError is one
            log.warning("engine cannot be reached host=%s error=%s", host, error)
        finally:
            writer.close()

    with tempfile.TemporaryDirectory(prefix="engine-") as folder:  # mode 0700
        server = await asyncio.start_unix_server(on_connection, f"{folder}/engine.sock")
        try:
            yield f"unix://{folder}/engine.sock"
        finally:
            server.close()


async def _knock(path: str) -> None:
    """docker-py leaves a socket open behind itself where nobody answers."""
    async with asyncio.timeout(_CONNECT_SECONDS):
        _, writer = await asyncio.open_unix_connection(path)
    writer.close()


@asynccontextmanager
async def _far_side(host: str) -> AsyncIterator[_Streams]:
    address = urlsplit(host)
    if address.scheme == "ssh":
        async with _ssh(host) as streams:
            yield streams
        return
    context = _tls()
    port = address.port or (_TLS_PORT if context else _PLAIN_PORT)
    async with asyncio.timeout(_CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(
            address.hostname, port, ssl=context
        )
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def _ssh(host: str) -> AsyncIterator[_Streams]:
    options = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}")
    process = await asyncio.create_subprocess_exec(
        *("ssh", *options, "--", host, "docker", "system", "dial-stdio"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout, process.stdin
    finally:
        process.stdin.close()
        with suppress(ProcessLookupError):
            process.terminate()


def _tls() -> ssl.SSLContext | None:
    if not os.environ.get("DOCKER_TLS_VERIFY"):
        return None
    folder = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")
    context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
    context.load_cert_chain(
        os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    )
    return context


async def _carry(near: _Streams, far: _Streams) -> None:
    """Bytes both ways, until either side ends."""
    ways = [
        asyncio.create_task(_copy(near[0], far[1])),
        asyncio.create_task(_copy(far[0], near[1])),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await reader.read(_BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
