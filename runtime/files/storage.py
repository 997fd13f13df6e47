"""Where bytes lie: a local directory, or a bucket of an S3-compatible store.

Keys are ours and random, never a caller's file name: nothing a caller says becomes a
path. Rows (`files/models.py`) say what a key holds; storage knows bytes only.
"""

import asyncio
import contextlib
import hashlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import structlog

from runtime.errors import Unavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = structlog.get_logger()

_BLOCK_BYTES = 256 * 1024


class BytesMissing(Exception):
    """Storage holds nothing under this key."""


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Bytes that lie in storage: where, how many, and their SHA-256 in hex."""

    key: str
    size_bytes: int
    sha256: str


def new_key() -> str:
    """A fresh key, `ab/cd/<random>`: the two levels keep a local directory quick."""
    name = secrets.token_hex(20)
    return f"{name[:2]}/{name[2:4]}/{name[4:]}"


class Storage:
    """Bytes by key. Opens its backend, a heavy import, at first use."""

    def __init__(self, url: str) -> None:
        """Nothing is opened or created yet.

        Args:
            url: `file:///absolute/directory`, created when first written to, or
                `s3://bucket/prefix` with credentials, region and endpoint in the usual
                `AWS_…` environment variables.

        Raises:
            ValueError: neither of the two.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("file", "s3"):
            raise ValueError(
                f"ASSISTANTS_STORAGE_URL must begin with file:// or s3://, not '{url}'."
            )
        if parts.scheme == "file" and (parts.netloc or not parts.path):
            raise ValueError(
                f"A file URL has three slashes and an absolute path; '{url}' has not."
            )
        if parts.scheme == "s3" and not parts.netloc:
            raise ValueError(f"'{url}' names no bucket.")
        self._url = url
        # None: the bytes are not on this machine.
        self._directory = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._opened: ObjectStore | None = None

    async def put(self, key: str, blocks: AsyncIterable[bytes]) -> tuple[int, str]:
        """Store the blocks under `key`, whole or not at all.

        Returns:
            Their size in bytes and their SHA-256 in hex.

        Raises:
            Unavailable: storage did not take them.
            Exception: whatever reading `blocks` raised.
        """
        size_bytes, digest = 0, hashlib.sha256()

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size_bytes
            async for block in blocks:
                size_bytes += len(block)
                digest.update(block)
                yield block

        import obstore

        with _in_our_words():
            await obstore.put_async(await self._store(), key, counted())
        return size_bytes, digest.hexdigest()

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """The bytes under `key`, in blocks; they are found before the first is read.

        Raises:
            BytesMissing: nothing lies there.
            Unavailable: storage did not answer.
        """
        import obstore

        with _in_our_words():
            found = await obstore.get_async(await self._store(), key)
        return _blocks(found.stream(min_chunk_size=_BLOCK_BYTES))

    async def read(self, key: str) -> bytes:
        """All bytes under `key`, for files known to be small.

        Raises:
            BytesMissing, Unavailable: as for `open`.
        """
        return b"".join([block async for block in await self.open(key)])

    async def delete(self, key: str) -> None:
        """Delete what lies under `key`; nothing there is no error.

        Raises:
            Unavailable: storage did not answer.
        """
        import obstore

        with contextlib.suppress(BytesMissing), _in_our_words():
            await obstore.delete_async(await self._store(), key)

    @contextlib.asynccontextmanager
    async def local_copy(self, key: str) -> AsyncIterator[Path]:
        """A path on this machine with the bytes of `key`, to be read only.

        For a local directory that is the stored file itself; else a temporary copy that
        lasts as long as the block.

        Raises:
            BytesMissing, Unavailable: as for `open`.
        """
        if self._directory is not None:
            path = self._directory / key
            if not await asyncio.to_thread(path.is_file):
                raise BytesMissing(key)
            yield path
            return
        directory = Path(await asyncio.to_thread(tempfile.mkdtemp))
        try:
            path = directory / "copy"
            with path.open("wb") as file:
                async for block in await self.open(key):
                    await asyncio.to_thread(file.write, block)
            yield path
        finally:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    async def _store(self) -> "ObjectStore":
        if self._opened is None:
            self._opened = await asyncio.to_thread(self._open_store)
        return self._opened

    def _open_store(self) -> "ObjectStore":
        from obstore.store import LocalStore, from_url

        if self._directory is not None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return LocalStore(self._directory)
        return from_url(self._url)


async def _blocks(stream: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    with _in_our_words():
        async for block in stream:
            yield bytes(block)


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise BytesMissing(str(error).splitlines()[0]) from error
    except (BaseError, OSError) as error:
        log.warning("storage away", reason=str(error).splitlines()[0][:300])
        raise Unavailable(
            "The file storage is unavailable for the moment; please try again.",
            retry_after_seconds=1,
        ) from error
