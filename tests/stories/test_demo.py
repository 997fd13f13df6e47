"""`assistants demo` as a newcomer runs it: its own start, its own files, then theirs."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.local.watch import living

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 150

_NOTES = """\
The lighthouse at Kalvik was lit for the first time in November 1884.

Its keeper, Alma Sjöberg, kept a diary of the weather for thirty-one years and never
missed an evening. The lamp was first fed with rapeseed oil, later with paraffin, and
turned by a clockwork that had to be wound every four hours.

Today the tower belongs to the parish and can be climbed on Sundays.
"""
_TABLE = "station,rain_mm,sun_hours\n" + "".join(
    f"S{n},{n * 7 % 31},{n * 3 % 13}.5\n" for n in range(1, 25)
)

pytestmark = pytest.mark.timeout(2 * _SECONDS)


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory. Its name is short, as it holds sockets."""
    with tempfile.TemporaryDirectory(prefix="at-") as directory:
        yield Path(directory)


def _start(directory: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    """Start `assistants demo` in an empty place, with nothing configured but this."""
    scratch = directory / "tmp"
    scratch.mkdir()
    ours = ("ASSISTANTS_", "OPENAI_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.Popen(
        [sys.executable, "-m", "runtime", "demo", *arguments],
        cwd=directory,
        env={**kept, "PYTHONPATH": str(_ROOT), "TMPDIR": str(scratch), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(directory: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    process = _start(directory, *arguments, **settings)
    try:
        said, complained = process.communicate(timeout=_SECONDS)
    finally:
        process.terminate()
    assert list((directory / "tmp").glob("assistants-demo-*")) == []
    return process.returncode, said, complained


@pytest.mark.docker
def test_it_cites_the_handbook_charts_the_year_and_calls_the_function(
    place: Path,
) -> None:
    status, said, complained = _run(place, "--out", "out")

    assert status == 0, said + complained
    assert "crew-handbook.pdf, page 2, characters " in said
    assert '"Between two duties lie at least 11 hours of rest' in said
    assert "code_interpreter: completed" in said
    assert "book_crossing returned:" in said
    with Image.open(place / "out" / "ferries-2024.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("L").getcolors() or ()) > 10


@pytest.mark.docker
def test_it_takes_other_files_and_asks_what_they_can_answer(place: Path) -> None:
    notes, table = place / "kalvik notes.txt", place / "rain.csv"
    notes.write_text(_NOTES)
    table.write_text(_TABLE)

    status, said, complained = _run(place, "--json", "--files", str(notes), str(table))

    assert status == 0, said + complained
    parts: dict[str, Any] = json.loads(said)["parts"]
    cited = parts["question"]["citations"][0]
    assert cited["file"] == notes.name
    assert cited["page"] is None
    assert _NOTES[cited["char_start"] : cited["char_end"]] == cited["quote"]
    with Image.open(place / parts["chart"]["chart"]) as picture:
        picture.load()
    assert {"rain_mm", "sun_hours"} <= set(parts["chart"]["answer"].split())


def test_a_part_that_does_not_happen_is_named_and_ends_it_with_status_1(
    place: Path,
) -> None:
    status, said, complained = _run(place, "--json", ASSISTANTS_SANDBOX="off")

    assert status == 1, said + complained
    parts: dict[str, Any] = json.loads(said)["parts"]
    assert {name: part["ok"] for name, part in parts.items()} == {
        "files": True,
        "question": True,
        "chart": False,
        "function": True,
    }
    assert "switched off" in parts["chart"]["error"]
    assert (place / "demo-output" / "logs" / "api.log").exists()


def test_ctrl_c_stops_everything_and_leaves_nothing_behind(place: Path) -> None:
    demo = _start(place, ASSISTANTS_SANDBOX="off")
    try:
        data_dir = _data_dir(demo, place / "tmp")
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=30)
    finally:
        demo.terminate()

    assert demo.returncode not in (0, None)
    assert living(data_dir) == set()
    assert list((place / "tmp").glob("assistants-demo-*")) == []


def _data_dir(demo: subprocess.Popen[str], scratch: Path) -> Path:
    """Where it has begun to start things."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and demo.poll() is None:
        for data_dir in scratch.glob("assistants-demo-*/data"):
            if (data_dir / "run" / "postgres.pid").exists():
                return data_dir
        time.sleep(0.05)
    raise AssertionError("it has not started anything")
