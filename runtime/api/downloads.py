"""What is sent to be saved: its name, and bytes that wait for their reader on disk."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends

_IN_MEMORY_BYTES = 1024 * 1024
_BLOCK_BYTES = 256 * 1024


def saved_as(filename: str) -> dict[str, str]:
    """Headers that make a browser save an answer under this name."""
    plain = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\' else "_"
        for c in filename
    )
    encoded = quote(filename, safe="")
    return {
        # Never shown in place: a stored page must not run as one of ours.
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
        "x-content-type-options": "nosniff",
    }


class Spool:
    """Bytes between who makes them and who reads them, beyond a megabyte on disk.

    What is made in a transaction must not wait for a slow reader with it open.
    """

    def __init__(self, file: "SpooledTemporaryFile[bytes]") -> None:
        self._file = file
        self.size_bytes = 0

    async def fill(self, pieces: AsyncIterable[bytes]) -> None:
        """Take all of these, once."""
        async for piece in pieces:
            await asyncio.to_thread(self._file.write, piece)
            self.size_bytes += len(piece)

    async def blocks(self) -> AsyncIterator[bytes]:
        """All that was taken, from its beginning."""
        self._file.seek(0)
        while block := await asyncio.to_thread(self._file.read, _BLOCK_BYTES):
            yield block


async def _spool() -> AsyncIterator[Spool]:
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        yield Spool(file)


# Gone when the answer is sent or its reader has left, not before.
SpoolDep = Annotated[Spool, Depends(_spool, scope="request")]
