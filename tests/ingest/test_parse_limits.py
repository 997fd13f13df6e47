"""No file costs more than its limits, and no process is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.ingest.parse.document import ParseFailed, ParseLimits
from runtime.ingest.parse.process import parse_file
from tests.ingest import making
from tests.ingest.making import failure


async def test_too_much_text_is_refused(tmp_path: Path) -> None:
    limits = ParseLimits(text_characters=1000)
    rows = [["a", "b"], *([str(n), "x"] for n in range(500))]

    for data, name in ((b"x" * 1001, "a.txt"), (making.workbook(S=rows), "a.xlsx")):
        found = await failure(tmp_path, data, name, limits)
        assert found.code == "invalid_file"
        assert "more than 1,000 characters" in found.message


async def test_too_much_memory_ends_only_the_reader(tmp_path: Path) -> None:
    limits = ParseLimits(memory_bytes=64 << 20)

    found = await failure(tmp_path, b"word, " * 3_000_000 + "ä".encode(), "a", limits)

    assert found.code == "invalid_file"
    assert "64 MB of memory" in found.message


async def test_too_much_computing_ends_only_the_reader(tmp_path: Path) -> None:
    limits = ParseLimits(cpu_seconds=1)

    found = await failure(tmp_path, b"a,b\n" + b"1,2\n" * 1_500_000, "a.csv", limits)

    assert found.code == "invalid_file"
    assert "longer than 1 seconds" in found.message


def test_a_busy_file_may_use_all_the_time_it_is_given() -> None:
    assert ParseLimits.within(300.5).cpu_seconds == 301
    assert ParseLimits.within(0.2).cpu_seconds == 1


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that never begins: whoever opens it waits for a writer."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


async def test_too_much_time_ends_the_reader(endless: Path) -> None:
    with pytest.raises(ParseFailed, match=r"longer than 0\.5 seconds"):
        await parse_file(endless, "a.txt", ParseLimits(wall_seconds=0.5))

    assert not _readers_of(endless)


async def test_a_cancelled_parse_leaves_no_process(endless: Path) -> None:
    parsing = asyncio.create_task(parse_file(endless, "a.txt"))
    await asyncio.to_thread(_wait_for_reader, endless)

    parsing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await parsing

    assert not _readers_of(endless)


async def test_the_reader_knows_nothing_of_our_environment(
    endless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    parsing = asyncio.create_task(parse_file(endless, "a.txt"))
    pid = await asyncio.to_thread(_wait_for_reader, endless)

    environment = await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_bytes)

    parsing.cancel()
    await asyncio.wait([parsing])
    assert b"PYTHONPATH" in environment
    assert b"sk-secret" not in environment


def test_the_reader_dies_with_the_process_that_asked(endless: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path;"
        "from runtime.ingest.parse.process import parse_file;"
        "asyncio.run(parse_file(Path(sys.argv[1]), 'a.txt'))"
    )
    asking = subprocess.Popen([sys.executable, "-c", program, str(endless)])
    _wait_for_reader(endless)

    asking.send_signal(signal.SIGKILL)
    asking.wait()

    deadline = time.monotonic() + 10
    while _readers_of(endless):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _wait_for_reader(path: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for pid in _readers_of(path):
            return pid
        time.sleep(0.02)
    raise AssertionError("no reader was started")


def _readers_of(path: Path) -> list[int]:
    """The processes started to read this path, by their command lines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"parse.child" in command and os.fsencode(path) in command:
            found.append(int(folder.name))
    return found
