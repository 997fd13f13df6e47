"""What workers use to run code: requests to the sandbox manager."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sandbox import errors, link, protocol
from sandbox.errors import FileRefused, SandboxError, SandboxUnavailable
from sandbox.link import Link, LinkBroken, Message
from sandbox.outcome import Health, Outcome, Session, read_outcome, read_sizes

# While a manager restarts, a call that was under way waits for it this long.
_RETURN_SECONDS = 15.0
_RETRY_SECONDS = 0.25
_ERRORS = {
    error.__name__: error
    for error in (
        errors.SandboxError,
        errors.SandboxUnavailable,
        errors.SessionLost,
        errors.FileRefused,
    )
}


class SandboxClient:
    """Runs code in the session's container, by way of the manager at `url`.

    Args:
        url: `unix:///path/manager.sock` or `tcp://host:port`.
        token: the one in the manager's token file.

    Every method raises `SandboxUnavailable` when no manager answers or the manager has
    no engine, with the remedy in words.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token

    async def open(self, session_id: str) -> Session:
        """The session's container, started if there is none.

        A `fresh` one is empty: put the session's files, and tell the model that variables
        were lost if there was an epoch before. A cold start takes about half a second.
        """
        answer = await self._ask({"do": "open", "session": session_id})
        return Session(
            epoch=str(answer["epoch"]),
            fresh=answer["fresh"] is True,
            files=read_sizes(answer["files"]),
        )

    async def put(
        self, session_id: str, epoch: str, name: str, data: AsyncIterable[bytes] | bytes
    ) -> None:
        """Write a file into `/mnt/data`, replacing one of that name.

        The name may be a relative path; folders that are missing are made.

        Raises:
            FileRefused: no usable name (see `safe_name`), or no room.
            SessionLost: the container of `epoch` is gone.
        """
        if not protocol.is_clean_name(name, folders=True):
            raise FileRefused("This is not a usable file name.")
        place = {"do": "put", "session": session_id, "epoch": epoch, "name": name}
        async with self._request(place) as connection:
            await _send_all(connection, data)
            await _answer(connection)

    async def execute(
        self,
        session_id: str,
        call_id: str,
        code: str,
        *,
        epoch: str,
        timeout_seconds: float,
    ) -> Outcome:
        """Run code and wait for its outcome; the same `call_id` never runs twice.

        A call that has ended is answered from the journal (`replayed`), one under way is
        joined. Should the manager be restarted meanwhile, we ask it again. Cancelling
        this coroutine does not stop the code: `interrupt` does.

        Raises:
            SessionLost: the container of `epoch` is gone; it cannot be known whether the
                call ran.
        """
        request = {
            "do": "execute",
            "session": session_id,
            "epoch": epoch,
            "call": call_id,
            "code": code,
            "timeout_seconds": timeout_seconds,
        }
        give_up_at = float("inf")
        while True:
            try:
                async with self._request(request) as connection:
                    give_up_at = float("inf")
                    return await _receive_outcome(connection)
            except _Hungup:
                give_up_at = min(give_up_at, time.monotonic() + _RETURN_SECONDS)
                if time.monotonic() >= give_up_at:
                    raise
            await asyncio.sleep(_RETRY_SECONDS)

    async def interrupt(self, session_id: str, call_id: str) -> None:
        """Stop a running call: its `execute` returns an error outcome within seconds.

        A call that is not running is no error.
        """
        await self._ask({"do": "interrupt", "session": session_id, "call": call_id})

    async def read(
        self, session_id: str, epoch: str, name: str
    ) -> AsyncIterator[bytes]:
        """The bytes of a file in `/mnt/data`, in blocks; at most 128 MiB of them.

        Raises:
            FileRefused: there is no such regular file.
            SessionLost: the container of `epoch` is gone.
        """
        place = {"do": "read", "session": session_id, "epoch": epoch, "name": name}
        async with self._request(place) as connection:
            while True:
                message, block = await _answer_with_blob(connection)
                if block:
                    yield block
                if message.get("end"):
                    return

    async def end(self, session_id: str) -> None:
        """Remove the session's container and all in it; having none is no error."""
        await self._ask({"do": "end", "session": session_id})

    async def health(self) -> Health:
        """Whether code can be run, tried by starting a container; never raises."""
        try:
            answer = await self._ask({"do": "health"})
        except SandboxError as error:
            return Health(ok=False, sentences=[str(error)])
        return Health(ok=True, sentences=[str(line) for line in answer["sentences"]])

    async def close(self) -> None:
        """Nothing is held open between requests; here for symmetry with other clients."""

    async def _ask(self, request: Message) -> Message:
        async with self._request(request) as connection:
            return await _answer(connection)

    @asynccontextmanager
    async def _request(self, request: Message) -> AsyncIterator[Link]:
        try:
            connection = await Link.open(self._url)
        except OSError as error:
            raise _Hungup(
                f"Code cannot be run: no sandbox manager answers at {self._url}; "
                "start it with `assistants sandbox serve`."
            ) from error
        try:
            greeting, _ = await connection.receive()
            proof = link.proof(self._token, str(greeting.get("nonce")))
            await connection.send({**request, "proof": proof})
            yield connection
        except LinkBroken as error:
            raise _Hungup(
                "Code cannot be run: the sandbox manager hung up; try again."
            ) from error
        finally:
            await connection.close()


class _Hungup(SandboxUnavailable):
    """The manager is not there or has gone: the one failure that may pass by itself."""


async def _answer_with_blob(connection: Link) -> tuple[Message, bytes]:
    message, blob = await connection.receive()
    if "error" in message:
        kind = _ERRORS.get(str(message["error"]), SandboxError)
        raise kind(str(message.get("message")))
    return message, blob


async def _answer(connection: Link) -> Message:
    return (await _answer_with_blob(connection))[0]


async def _receive_outcome(connection: Link) -> Outcome:
    images: list[bytes] = []
    while True:
        message, blob = await _answer_with_blob(connection)
        if not message.get("image"):
            return read_outcome(message, images)
        images.append(blob)


async def _send_all(connection: Link, data: AsyncIterable[bytes] | bytes) -> None:
    size = protocol.BLOCK_BYTES
    blocks: Any = _pieces(data, size) if isinstance(data, bytes) else data
    async for block in blocks:
        for start in range(0, len(block), size):
            await connection.send({}, block[start : start + size])
    await connection.send({"end": True})


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
