"""The few requests of the Docker Engine API that the sandbox needs, over asyncio.

Not docker-py: the manager is a process that mostly waits, and this costs it no threads
and a quarter of the memory. Reaches `unix://`, `tcp://` (with TLS when
DOCKER_TLS_VERIFY is set, certificates in DOCKER_CERT_PATH) and `ssh://` engines.
https://docs.docker.com/reference/api/engine/
"""

import asyncio
import json
import os
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

DEFAULT_HOST = "unix:///var/run/docker.sock"

_CONNECT_SECONDS = 5.0
_REPLY_SECONDS = 60.0
_STREAM_LIMIT = 4 * 1024 * 1024  # the longest line of a build's progress

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class EngineAway(Exception):
    """No engine answers at the endpoint."""


class EngineRefused(Exception):
    """The engine answered, and the answer was no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Docker:
    """One engine."""

    def __init__(self, host: str | None = None) -> None:
        self.host = host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST

    async def version(self) -> dict[str, Any]:
        """What the engine is: `Version`, `Arch`, `Os`, …"""
        answer: dict[str, Any] = await self.request("GET", "/version")
        return answer

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: object = None,
        seconds: float = _REPLY_SECONDS,
    ) -> Any:
        """One request; the answer's JSON, or None when it has none.

        Raises:
            EngineAway: nobody answers there, or not in time.
            EngineRefused: the answer is an error.
        """
        data = b"" if body is None else json.dumps(body).encode()
        try:
            async with asyncio.timeout(seconds):
                async with self._exchange(method, path, query, data) as reply:
                    raw = b"".join([block async for block in reply])
        except (OSError, EOFError, TimeoutError) as error:
            raise EngineAway(f"the Docker engine at {self.host} fell silent") from error
        return json.loads(raw) if raw.strip() else None

    async def progress(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        data: AsyncIterable[bytes] | bytes = b"",
    ) -> AsyncIterator[dict[str, Any]]:
        """A long request (pull, import, build): its JSON messages as they come.

        Raises:
            EngineAway, EngineRefused: as `request`; also when a message tells an error.
        """
        try:
            async with self._exchange(method, path, query, data) as reply:
                pending = b""
                async for block in reply:
                    *lines, pending = (pending + block).split(b"\n")
                    for line in filter(bytes.strip, lines):
                        message: dict[str, Any] = json.loads(line)
                        if "error" in message:
                            raise EngineRefused(500, str(message["error"]))
                        yield message
        except (OSError, EOFError) as error:
            raise EngineAway(f"the Docker engine at {self.host} fell silent") from error

    async def attach(self, container_id: str) -> Streams:
        """The container's standard streams, both ways; the reply is multiplexed."""
        query = {"stream": 1, "stdin": 1, "stdout": 1, "stderr": 1}
        reader, writer = await self._connect()
        head = {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Length": "0"}
        writer.write(_head("POST", f"/containers/{container_id}/attach", query, head))
        try:
            await writer.drain()
            status, headers = await _read_head(reader)
            if status not in (101, 200):
                raw = b"".join([block async for block in _body(reader, headers)])
                raise EngineRefused(status, _message(raw))
        except (OSError, EOFError) as error:
            writer.close()
            raise EngineAway(f"the Docker engine at {self.host} fell silent") from error
        except BaseException:
            writer.close()
            raise
        return reader, writer

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        data: AsyncIterable[bytes] | bytes,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        reader, writer = await self._connect()
        try:
            with suppress(ConnectionError):  # refused early: the answer says why
                await _send(writer, method, path, query or {}, data)
            status, headers = await _read_head(reader)
            body = _body(reader, headers)
            if status >= 400:
                raise EngineRefused(
                    status, _message(b"".join([block async for block in body]))
                )
            yield body
        finally:
            writer.close()

    async def _connect(self) -> Streams:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await self._open()
        except (OSError, TimeoutError) as error:
            raise EngineAway(f"no Docker engine answers at {self.host}") from error

    async def _open(self) -> Streams:
        address = urlsplit(self.host)
        if address.scheme == "unix":
            return await asyncio.open_unix_connection(address.path, limit=_STREAM_LIMIT)
        if address.scheme == "ssh":
            return await _open_ssh(self.host)
        if address.scheme in ("tcp", "http", "https"):
            return await asyncio.open_connection(
                address.hostname, address.port or 2375, ssl=_tls(), limit=_STREAM_LIMIT
            )
        raise EngineAway(f"DOCKER_HOST is no address that is known: {self.host}")


async def _open_ssh(host: str) -> Streams:
    process = await asyncio.create_subprocess_exec(
        *("ssh", "-o", "BatchMode=yes", "--", host, "docker", "system", "dial-stdio"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_STREAM_LIMIT,
    )
    assert process.stdin is not None and process.stdout is not None
    return process.stdout, process.stdin


def _tls() -> Any:
    if not os.environ.get("DOCKER_TLS_VERIFY"):
        return None
    import ssl  # only here: it is not needed for the usual local engine

    folder = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")
    context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
    context.load_cert_chain(
        os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    )
    return context


async def _send(
    writer: asyncio.StreamWriter,
    method: str,
    path: str,
    query: dict[str, Any],
    data: AsyncIterable[bytes] | bytes,
) -> None:
    headers = {"Connection": "close", "Content-Type": "application/json"}
    if isinstance(data, bytes):
        headers["Content-Length"] = str(len(data))
        writer.write(_head(method, path, query, headers) + data)
    else:
        headers |= {"Transfer-Encoding": "chunked", "Content-Type": "application/x-tar"}
        writer.write(_head(method, path, query, headers))
        async for block in data:
            writer.write(b"%x\r\n%b\r\n" % (len(block), block))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _head(
    method: str, path: str, query: dict[str, Any], headers: dict[str, str]
) -> bytes:
    target = quote(path) + ("?" + urlencode(query) if query else "")
    lines = [f"{method} {target} HTTP/1.1", "Host: docker"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *rest = raw.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest)
    return int(first.split()[1]), {k.strip().lower(): v.strip() for k, _, v in pairs}


async def _body(
    reader: asyncio.StreamReader, headers: dict[str, str]
) -> AsyncIterator[bytes]:
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while block := await reader.read(1 << 16):
            yield block


def _message(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["message"])
    except (ValueError, KeyError, TypeError):
        return raw.decode("utf-8", "replace").strip()[:500]
