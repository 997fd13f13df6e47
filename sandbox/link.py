"""Messages between a client and the manager: a line of JSON, then perhaps raw bytes.

One connection carries one request. The manager opens with a nonce; the client's first
message proves with it that it knows the token, which itself never travels; the second
is the request.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

Message = dict[str, Any]

MAX_BLOB_BYTES = 8 * 1024 * 1024
MAX_ANSWER_LINE_BYTES = 8 * 1024 * 1024  # a call's output, escaped at its worst
MAX_REQUEST_LINE_BYTES = (
    64 * 1024
)  # also of those who have proven nothing; code is a blob


class LinkBroken(Exception):
    """The other side hung up or sent what is no message."""


class Link:
    """One connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> "Link":
        """Connect to `unix:///path` or `tcp://host:port`.

        Raises:
            OSError: nobody listens there.
        """
        address = urlsplit(url)
        if address.scheme == "unix":
            streams = await asyncio.open_unix_connection(
                address.path, limit=MAX_ANSWER_LINE_BYTES
            )
        else:
            streams = await asyncio.open_connection(
                address.hostname, address.port, limit=MAX_ANSWER_LINE_BYTES
            )
        return cls(*streams)

    async def send(self, message: Message, blob: bytes = b"") -> None:
        """Send one message; `blob` travels as it is.

        Raises:
            LinkBroken: the other side has hung up.
        """
        line = json.dumps({**message, "blob": len(blob)}).encode("ascii")
        try:
            self._writer.write(line + b"\n" + blob)
            await self._writer.drain()
        except OSError as error:
            raise LinkBroken("the other side has hung up") from error

    async def receive(
        self, max_blob_bytes: int = MAX_BLOB_BYTES
    ) -> tuple[Message, bytes]:
        """The next message and its blob.

        Raises:
            LinkBroken: there is none, or it is malformed or too long.
        """
        try:
            line = await self._reader.readuntil(b"\n")
            message = json.loads(line)
            size = message.pop("blob", 0)
            if type(size) is not int or not 0 <= size <= max_blob_bytes:
                raise LinkBroken("a blob is larger than the limit")
            return message, await self._reader.readexactly(size)
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise LinkBroken("the other side has hung up") from error
        except (ValueError, AttributeError, RecursionError) as error:
            raise LinkBroken("what came is no message") from error

    async def blobs(self) -> AsyncIterator[bytes]:
        """Blobs up to the message that ends them.

        Raises:
            LinkBroken: the other side hung up before that.
        """
        while True:
            message, blob = await self.receive()
            if blob:
                yield blob
            if message.get("end"):
                return

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()


def proof(token: str, nonce: str) -> str:
    """What shows that one knows `token`, for this connection only."""
    return hmac.new(token.encode(), nonce.encode(), hashlib.sha256).hexdigest()
