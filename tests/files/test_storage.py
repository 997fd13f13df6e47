"""Bytes in a local directory: whole or not at all."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.errors import Unavailable
from runtime.files.storage import BytesMissing, Storage, new_key


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "with blank" / "files"


@pytest.fixture
def local(directory: Path) -> Storage:
    return Storage(f"file://{directory}")


async def blocks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_what_was_put_is_read_back_with_size_and_digest(local: Storage) -> None:
    parts = [b"a" * 7_000_000, b"", b"b" * 5]
    key = new_key()

    size_bytes, sha256 = await local.put(key, blocks(*parts))

    whole = b"".join(parts)
    assert (size_bytes, sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert await local.read(key) == whole


async def test_nothing_at_all_can_be_stored(local: Storage) -> None:
    key = new_key()

    assert (await local.put(key, blocks()))[0] == 0
    assert await local.read(key) == b""


async def test_a_source_that_breaks_off_leaves_nothing(
    local: Storage, directory: Path
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 12_000_000
        raise RuntimeError("the caller hung up")

    key = new_key()

    with pytest.raises(RuntimeError, match="hung up"):
        await local.put(key, broken())

    await _check_empty(local, directory, key)


async def test_a_cancelled_put_leaves_nothing(local: Storage, directory: Path) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 12_000_000
        started.set()
        await asyncio.sleep(60)

    key = new_key()
    putting = asyncio.create_task(local.put(key, endless()))
    await started.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    await _check_empty(local, directory, key)


async def test_a_local_copy_is_the_file_itself(local: Storage, directory: Path) -> None:
    key = new_key()
    await local.put(key, blocks(b"notes"))

    async with local.local_copy(key) as path:
        assert path == directory / key
        assert path.read_bytes() == b"notes"
    assert path.exists()


async def test_bytes_that_are_not_there_are_said_to_be_missing(local: Storage) -> None:
    with pytest.raises(BytesMissing):
        await local.open("ab/cd/none")
    with pytest.raises(BytesMissing):
        async with local.local_copy("ab/cd/none"):
            pass


async def test_deleting_twice_is_no_error(local: Storage) -> None:
    key = new_key()
    await local.put(key, blocks(b"x"))

    await local.delete(key)
    await local.delete(key)

    with pytest.raises(BytesMissing):
        await local.read(key)


async def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = Storage(f"file://{tmp_path}/file/below")

    with pytest.raises(Unavailable):
        await storage.put(new_key(), blocks(b"x"))


@pytest.mark.parametrize(
    "url", ["", "/var/files", "file://relative/path", "s3://", "https://host/bucket"]
)
def test_a_url_of_another_kind_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Storage(url)


def test_keys_are_spread_over_directories_and_never_alike() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all([len(part) for part in key.split("/")] == [2, 2, 36] for key in keys)


async def _check_empty(storage: Storage, directory: Path, key: str) -> None:
    with pytest.raises(BytesMissing):
        await storage.open(key)
    # The unfinished file goes a moment later, in a thread of the library.
    for _ in range(100):
        if _count_files(directory) == 0:
            return
        await asyncio.sleep(0.02)
    pytest.fail("an unfinished file stayed behind")


def _count_files(directory: Path) -> int:
    return sum(1 for path in directory.rglob("*") if path.is_file())
