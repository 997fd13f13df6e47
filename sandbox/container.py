"""One running container, seen from the host: frames over the engine's attach stream.

Everything that comes from inside is taken for hostile: frames have a size limit and a
form, an unknown id is dropped, no name from inside is ever a path out here.
"""

import asyncio
import base64
import binascii
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from sandbox import protocol
from sandbox.docker_client import Docker, EngineAway, EngineRefused, Streams
from sandbox.errors import FileRefused, SandboxError
from sandbox.outcome import Outcome, read_outcome, read_sizes

log = logging.getLogger("sandbox")

_HELLO_SECONDS = 20.0
_REPLY_SECONDS = 30.0
# Beyond the code's own limit: interrupting, killing, sending pictures.
_OVERDUE_SECONDS = protocol.INTERRUPT_GRACE_SECONDS + 20.0
_MULTIPLEX_HEAD_BYTES = 8
_STDERR_KEPT_BYTES = 2000


class StreamLost(SandboxError):
    """The attach stream broke: the container has ended, or the engine has gone away."""


class Overdue(StreamLost):
    """The guest did not answer in time: it cannot be trusted to answer at all."""


class Container:
    """A container with our guest in it, and the attachment to it."""

    def __init__(self, docker: Docker, container_id: str, started_at: float) -> None:
        self._docker = docker
        self._id = container_id
        self._streams: Streams | None = None
        self._reading: asyncio.Task[None] | None = None
        self._asked: dict[str, asyncio.Queue[protocol.Frame]] = {}
        self._last_words = b""
        self.epoch = container_id[:16]
        self.started_at = started_at  # time.time(): survives a restart of the manager
        self.used_at = time.monotonic()
        self.busy = 0  # requests under way: such a container is not expired
        self.turn = asyncio.Lock()  # one call at a time
        self.attaching = asyncio.Lock()  # two streams would take each other's frames

    @property
    def is_attached(self) -> bool:
        """Whether its stream is open; a container that has ended has none."""
        is_reading = self._reading is not None and not self._reading.done()
        return is_reading and self._streams is not None

    @classmethod
    async def start(
        cls, docker: Docker, name: str, request: dict[str, Any]
    ) -> "Container":
        """Create, attach and start; not yet asked anything (`hello`).

        Raises:
            EngineAway, EngineRefused: the engine could not.
        """
        container_id = await docker.create_container(request, name)
        container = cls(docker, container_id, time.time())
        try:
            await container.attach()
            await docker.ask(lambda api: api.start(container_id))
        except BaseException:
            await container.remove()
            raise
        return container

    async def attach(self) -> None:
        """Open the stream, anew if it had broken."""
        self._detach()
        self._streams = await self._docker.attach(self._id)
        # Ends the half line that a torn connection may have left in the guest.
        self._streams[1].write(b"\n")
        self._reading = asyncio.create_task(self._read(self._streams[0]))

    async def hello(self) -> dict[str, Any]:
        """The facts that the guest reports of its restrictions.

        Raises:
            StreamLost: no guest answers.
        """
        answer = await self._ask("hello", seconds=_HELLO_SECONDS)
        facts = answer.get("facts")
        return facts if isinstance(facts, dict) else {}

    async def rename(self, name: str) -> None:
        """Give it the name that tells whose it is; a name can be had only once."""
        await self._docker.ask(lambda api: api.rename(self._id, name))

    async def is_running(self) -> bool:
        """Whether the engine still runs it."""
        try:
            info = await self._docker.inspect_container(self._id)
        except EngineRefused:
            return False
        return bool(info["State"]["Running"])

    async def remove(self) -> bool:
        """End it, with all that it holds; whether it is gone, or going, by now."""
        self._detach()
        try:
            await self._docker.remove_container(self._id)
        except EngineAway:
            return False
        except EngineRefused as error:
            return error.status in (404, 409)  # no such container; on its way out
        return True

    async def execute(self, call_id: str, code: str, timeout_seconds: float) -> Outcome:
        """Run code under `call_id`; a call that the guest has journalled is not run again.

        Raises:
            StreamLost: the stream broke; the code may have run.
            Overdue: the guest keeps silent long after the limit.
        """
        fields = {"call": call_id, "code": code, "timeout_seconds": timeout_seconds}
        images: list[bytes] = []
        async for frame in self._exchange(
            "exec", fields, timeout_seconds + _OVERDUE_SECONDS
        ):
            if frame.get("kind") == "outcome":
                return read_outcome(frame, images)
            if frame.get("kind") == "image" and len(images) < protocol.MAX_IMAGES:
                images.append(_decode(frame.get("data")))
        raise StreamLost("the guest gave no outcome")

    async def interrupt(self, call_id: str) -> None:
        """Stop the running call of that id; its outcome comes the usual way."""
        await self._ask("interrupt", {"call": call_id})

    async def preload(self) -> None:
        """Have the heavy packages imported before anybody needs them."""
        await self._ask("preload")

    async def files(self) -> dict[str, int]:
        """Names in `/mnt/data` and their sizes in bytes."""
        return read_sizes((await self._ask("list")).get("files"))

    async def put(self, name: str, data: AsyncIterator[bytes]) -> None:
        """Write a file under its name, replacing one that is there.

        Raises:
            FileRefused: the name cannot be used, or there is no room.
        """
        upload = secrets.token_hex(8)
        try:
            first = True
            block = b""
            async for more in data:
                block += more
                while len(block) > protocol.BLOCK_BYTES:
                    now, block = (
                        block[: protocol.BLOCK_BYTES],
                        block[protocol.BLOCK_BYTES :],
                    )
                    await self._put_block(upload, name, now, first, last=False)
                    first = False
            await self._put_block(upload, name, block, first, last=True)
        except BaseException:
            with suppress(SandboxError):
                await self._ask("drop", {"upload": upload})
            raise

    async def _put_block(
        self, upload: str, name: str, block: bytes, first: bool, last: bool
    ) -> None:
        data = base64.b64encode(block).decode("ascii")
        place = {"upload": upload, "name": name, "first": first, "last": last}
        await self._ask("put", {**place, "data": data})

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file, block by block; at most `MAX_FILE_BYTES`.

        Raises:
            FileRefused: there is no such regular file.
        """
        offset = 0
        while offset < protocol.MAX_FILE_BYTES:
            place = {"name": name, "offset": offset, "length": protocol.BLOCK_BYTES}
            answer = await self._ask("get", place)
            block = _decode(answer.get("data"))
            if block:
                yield block
            offset += len(block)
            if answer.get("eof") is not False or not block:
                return

    # Frames

    async def _ask(
        self,
        do: str,
        fields: dict[str, Any] | None = None,
        seconds: float = _REPLY_SECONDS,
    ) -> protocol.Frame:
        async for frame in self._exchange(do, fields or {}, seconds):
            return frame
        raise StreamLost("the guest gave no answer")

    async def _exchange(
        self, do: str, fields: dict[str, Any], seconds: float
    ) -> AsyncIterator[protocol.Frame]:
        """Send a request and yield its answers; leaving the loop ends the interest."""
        if not self.is_attached or self._streams is None:
            raise StreamLost(self._why_lost())
        request_id = secrets.token_hex(8)
        answers: asyncio.Queue[protocol.Frame] = asyncio.Queue()
        self._asked[request_id] = answers
        deadline = time.monotonic() + seconds
        try:
            writer = self._streams[1]
            writer.write(protocol.encode({"id": request_id, "do": do, **fields}))
            await writer.drain()
            while True:
                async with asyncio.timeout(deadline - time.monotonic()):
                    frame = await answers.get()
                if frame.get("kind") == "lost":
                    raise StreamLost(self._why_lost())
                if frame.get("kind") == "failed":
                    raise FileRefused(_reason(frame))
                yield frame
        except TimeoutError:
            raise Overdue("the guest did not answer in time") from None
        except OSError as error:
            self._detach()  # the reading end may not know yet
            raise StreamLost(self._why_lost()) from error
        finally:
            self._asked.pop(request_id, None)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        frames = protocol.FrameReader()
        try:
            while True:
                head = await reader.readexactly(_MULTIPLEX_HEAD_BYTES)
                data = await reader.readexactly(int.from_bytes(head[4:], "big"))
                if head[0] == 1:
                    for frame in frames.feed(data):
                        self._hand_on(frame)
                else:
                    self._last_words = (self._last_words + data)[-_STDERR_KEPT_BYTES:]
        except (EOFError, OSError):
            pass
        except protocol.FrameError:
            log.warning("container sent no frame epoch=%s", self.epoch)
        finally:
            for answers in self._asked.values():
                answers.put_nowait({"kind": "lost"})

    def _hand_on(self, frame: protocol.Frame) -> None:
        answers = self._asked.get(str(frame.get("id")))
        # "lost" is our own word, which the guest cannot say.
        if answers is not None and frame.get("kind") != "lost":
            answers.put_nowait(frame)

    def _why_lost(self) -> str:
        words = self._last_words.decode("utf-8", "replace").strip()
        return f"the container has ended{': ' + words if words else ''}"

    def _detach(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _decode(data: object) -> bytes:
    try:
        return base64.b64decode(data if isinstance(data, str) else "", validate=True)
    except binascii.Error:
        return b""


def _reason(frame: protocol.Frame) -> str:
    reason = frame.get("reason")
    return reason[:200] if isinstance(reason, str) else "refused"
