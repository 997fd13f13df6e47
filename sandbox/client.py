"""What workers use to run code: requests to the sandbox manager."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

from sandbox import errors, link, protocol
from sandbox.errors import FileRefused, SandboxError, SandboxUnavailable
from sandbox.link import Link, LinkBroken, Message
from sandbox.outcome import Health, Outcome, Session, read_outcome, read_sizes

T = TypeVar("T")

# While a manager restarts, a call that was under way waits for it this long.
_RETURN_SECONDS = 15.0
_RETRY_SECONDS = 0.25
# As often as its patience: what starts a container, moves a block, or ends a call.
_LONG = 6
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
        patience_seconds: how long the manager may take for what takes no time; six times
            that for starting a container, for a block of a file, and beyond a call's own
            limit.

    Every method raises `SandboxUnavailable` when no manager answers (in time) or the
    manager has no engine, with the remedy in words.
    """

    def __init__(self, url: str, token: str, *, patience_seconds: float = 10.0) -> None:
        self._url = url
        self._token = token
        self._short = patience_seconds
        self._long = patience_seconds * _LONG

    async def open(self, session_id: str) -> Session:
        """The session's container, started if there is none.

        A `fresh` one is empty: put the session's files, and tell the model that variables
        were lost if there was an epoch before. A cold start takes about half a second.
        """
        request = {"do": "open", "session": session_id}
        answer = await self._ask(request, self._long)
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
            async for block in _blocks(data):
                await _within(self._long, connection.send({}, block))
            await _within(self._long, connection.send({"end": True}))
            await _within(self._long, _answer_with_blob(connection))

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
            SandboxError: the code is longer than a megabyte.
        """
        body = code.encode("utf-8", "surrogatepass")
        if len(body) > protocol.MAX_CODE_BYTES:
            raise SandboxError("The code is longer than a megabyte.")
        request = {
            "do": "execute",
            "session": session_id,
            "epoch": epoch,
            "call": call_id,
            "timeout_seconds": timeout_seconds,
        }
        give_up_at = float("inf")
        while True:
            try:
                async with self._request(request, body) as connection:
                    give_up_at = float("inf")
                    outcome = _receive_outcome(connection)
                    return await _within(timeout_seconds + self._long, outcome)
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
                answer = _answer_with_blob(connection)
                message, block = await _within(self._long, answer)
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
            answer = await self._ask({"do": "health"}, self._long)
        except SandboxError as error:
            return Health(ok=False, sentences=[str(error)])
        return Health(ok=True, sentences=[str(line) for line in answer["sentences"]])

    async def close(self) -> None:
        """Nothing is held open between requests; here for symmetry with other clients."""

    async def _ask(self, request: Message, seconds: float | None = None) -> Message:
        async with self._request(request) as connection:
            answer = _answer_with_blob(connection)
            return (await _within(seconds or self._short, answer))[0]

    @asynccontextmanager
    async def _request(
        self, request: Message, body: bytes = b""
    ) -> AsyncIterator[Link]:
        connection = await self._connect()
        try:
            await _within(self._short, self._introduce(connection, request, body))
            yield connection
        except LinkBroken as error:
            raise _Hungup(
                "Code cannot be run: the sandbox manager hung up; try again."
            ) from error
        finally:
            await connection.close()

    async def _connect(self) -> Link:
        try:
            async with asyncio.timeout(self._short):
                return await Link.open(self._url)
        except OSError as error:  # TimeoutError is one
            raise _Hungup(
                f"Code cannot be run: no sandbox manager answers at {self._url}; "
                "start it with `assistants sandbox serve`."
            ) from error

    async def _introduce(self, connection: Link, request: Message, body: bytes) -> None:
        greeting, _ = await connection.receive()
        proof = link.proof(self._token, str(greeting.get("nonce")))
        await connection.send({"proof": proof})
        # A manager that refuses hangs up: what is under way then would break the
        # connection before its words are read.
        await _answer_with_blob(connection)
        await connection.send(request, body)


class _Hungup(SandboxUnavailable):
    """The manager is not there or has gone: the one failure that may pass by itself."""


async def _answer_with_blob(connection: Link) -> tuple[Message, bytes]:
    message, blob = await connection.receive()
    if "error" in message:
        kind = _ERRORS.get(str(message["error"]), SandboxError)
        raise kind(str(message.get("message")))
    return message, blob


async def _receive_outcome(connection: Link) -> Outcome:
    images: list[bytes] = []
    while True:
        message, blob = await _answer_with_blob(connection)
        if not message.get("image"):
            return read_outcome(message, images)
        images.append(blob)


async def _within(seconds: float, answer: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise SandboxUnavailable(
            "Code cannot be run: the sandbox manager has not answered for "
            f"{seconds:g} seconds; restart it if that goes on."
        ) from None


async def _blocks(data: AsyncIterable[bytes] | bytes) -> AsyncIterator[bytes]:
    if isinstance(data, bytes):
        for block in _pieces(data):
            yield block
    else:
        async for more in data:
            for block in _pieces(more):
                yield block


def _pieces(data: bytes) -> Iterator[bytes]:
    size = protocol.BLOCK_BYTES
    return (data[start : start + size] for start in range(0, len(data), size))
