"""Reads a file by way of a child process; whatever happens there, an answer comes back.

A child costs some 60 ms for text and 100 for a PDF, so a batch of small files is better
read by a few children at once than one after the other; how many is the caller's to say.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import runtime
from runtime.ingest.parse.document import (
    Document,
    PageSpan,
    ParseFailed,
    ParseLimits,
    invalid,
)
from runtime.ingest.parse.registry import expected_kind, extension_of

_PIECE_BYTES = 1 << 18
_HEADER_BYTES = 1 << 22  # the spans of some 100,000 pages
_MAX_BYTES_PER_CHARACTER = 4
_PACKAGE_ROOT = str(Path(runtime.__file__).resolve().parents[1])


async def parse_file(
    path: Path, filename: str, limits: ParseLimits | None = None
) -> Document:
    """Read a file into text.

    The child has its own process group, which is gone when this returns, raises or is
    cancelled; it also dies with this process. It inherits no environment, so there are
    no keys for a hostile file to find.

    Args:
        path: where the bytes are; its own name does not matter.
        filename: the name given by the one who uploaded it; its extension counts.

    Raises:
        ParseFailed: `unsupported_file` or `invalid_file`, with a sentence for the one
            who uploaded it; `server_error` when the fault is ours and another try may
            help.
    """
    limits = limits or ParseLimits()
    extension = extension_of(filename)
    expected_kind(extension)  # an unsupported name needs no process
    process = await _start(path, extension, limits)
    try:
        async with asyncio.timeout(limits.wall_seconds):
            output = await _read_all(process, limits)
            status = await process.wait()
    except TimeoutError:
        raise _too_slow(limits.wall_seconds) from None
    finally:
        await _end(process)
    if status:
        raise _death(status, limits)
    return _document(output)


async def _start(
    path: Path, extension: str, limits: ParseLimits
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "runtime.ingest.parse.child",
            str(os.getpid()),
            str(path),
            extension,
            json.dumps(asdict(limits)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": _PACKAGE_ROOT, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    except OSError as error:
        raise ParseFailed(
            "server_error", "The file could not be read just now.", repr(error)
        ) from error


async def _read_all(process: asyncio.subprocess.Process, limits: ParseLimits) -> bytes:
    assert process.stdout is not None
    most = limits.text_characters * _MAX_BYTES_PER_CHARACTER + _HEADER_BYTES
    output = bytearray()
    while piece := await process.stdout.read(_PIECE_BYTES):
        output += piece
        if len(output) > most:
            raise invalid("The file broke its reader.", "output over its limit")
    return bytes(output)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()  # reaps it, and empties and closes the pipe


def _death(status: int, limits: ParseLimits) -> ParseFailed:
    if status == -signal.SIGXCPU:
        return _too_slow(limits.cpu_seconds)
    return invalid(
        "The file broke its reader; it is damaged, or unpacks to more than the "
        f"{limits.memory_bytes >> 20} MB of memory it may take.",
        f"exit status {status}",
    )


def _too_slow(seconds: float) -> ParseFailed:
    return invalid(
        f"Reading the file took longer than {seconds:g} seconds, so it was given up.",
        "time",
    )


def _document(output: bytes) -> Document:
    header, _, text = output.partition(b"\n")
    answer = json.loads(header)
    if "error" in answer:
        raise ParseFailed(*answer["error"])
    pages = answer["pages"]
    spans = None if pages is None else tuple(PageSpan(*page) for page in pages)
    return Document(text.decode(), spans)
