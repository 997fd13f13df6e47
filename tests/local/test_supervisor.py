"""Whoever is killed, and however: nothing stays, and what should run runs again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.watch import living, until

_ROOT = Path(__file__).resolve().parents[2]
_FOREGROUND = (
    "import sys; from runtime.local.foreground import run_in_foreground as run;"
    "sys.exit(run(sys.argv[1:], module='tests.local.dummy_up'))"
)


class Up:
    """One `up` with dummy children, in a process group of its own, as in a terminal."""

    def __init__(self, data_dir: Path, *stages: list[dict[str, object]]) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_suffix(".out")
        with self.output.open("w") as output:
            self.foreground = subprocess.Popen(
                [sys.executable, "-c", _FOREGROUND, str(data_dir), json.dumps(stages)],
                stdout=output,
                stderr=output,
                cwd=_ROOT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        until(lambda: "ready\n" in self.output.read_text(), self.output.read_text)

    @property
    def supervisor_pid(self) -> int:
        pid, _, _ = (self.data_dir / "up.lock").read_text().partition(" ")
        return int(pid)

    def pid(self, name: str) -> int:
        return int((self.data_dir / "run" / f"{name}.pid").read_text())

    def journal(self) -> list[tuple[str, str, float]]:
        lines = (self.data_dir / "journal").read_text().splitlines()
        return [(e, name, float(at)) for e, name, at in map(str.split, lines)]

    def living(self) -> set[int]:
        """Every process that bears the mark of this data directory."""
        return living(self.data_dir)

    def wait_until_gone(self, seconds: float = 10) -> int:
        status = self.foreground.wait(seconds)
        assert self.living() == set()
        return status


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "data"
    yield directory
    for pid in living(directory):
        os.kill(pid, signal.SIGKILL)


def _serving(name: str, does: str = "serve", **more: object) -> dict[str, object]:
    return {"name": name, "does": does, **more}


def test_ctrl_c_stops_in_the_reverse_order_of_the_start(data_dir: Path) -> None:
    up = Up(
        data_dir,
        [_serving("store", outlives=2), _serving("bell", outlives=1)],
        [_serving("prepare", "hello", once=True)],
        [_serving("api"), _serving("worker")],
    )
    up.wait_until_ready()

    os.killpg(up.foreground.pid, signal.SIGINT)

    assert up.wait_until_gone() == 0
    started = [name for event, name, _ in up.journal() if event == "start"]
    stopped = [name for event, name, _ in up.journal() if event == "stop"]
    assert set(started[:2]) == {"store", "bell"} and started[2] == "prepare"
    assert set(stopped[:2]) == {"api", "worker"} and stopped[2:] == ["bell", "store"]


def test_a_child_that_ignores_the_signal_is_killed_within_ten_seconds(
    data_dir: Path,
) -> None:
    up = Up(data_dir, [_serving("deaf", "stubborn"), _serving("family", "parent")])
    up.wait_until_ready()
    assert len(up.living()) == 4

    began = time.monotonic()
    up.foreground.send_signal(signal.SIGTERM)

    assert up.wait_until_gone() == 0
    assert time.monotonic() - began < 10


def test_a_second_ctrl_c_does_not_wait(data_dir: Path) -> None:
    up = Up(data_dir, [_serving("deaf", "stubborn")])
    up.wait_until_ready()

    began = time.monotonic()
    up.foreground.send_signal(signal.SIGINT)
    up.foreground.send_signal(signal.SIGTERM)  # as make passes it on: no second wish
    time.sleep(0.6)
    assert up.foreground.poll() is None
    up.foreground.send_signal(signal.SIGINT)

    up.wait_until_gone()
    assert time.monotonic() - began < 1.5


def test_ctrl_c_before_the_supervisor_listens_is_no_failure(data_dir: Path) -> None:
    up = Up(data_dir, [_serving("api")])
    until(lambda: _watches(up.foreground.pid))

    os.killpg(up.foreground.pid, signal.SIGINT)

    assert up.wait_until_gone() == 0
    assert up.output.read_text().endswith("Stopped.\n")


def test_nothing_stays_when_the_supervisor_is_killed(data_dir: Path) -> None:
    up = Up(data_dir, [_serving("api"), _serving("family", "parent")])
    up.wait_until_ready()

    os.kill(up.supervisor_pid, signal.SIGKILL)

    assert up.wait_until_gone() == 1


def test_everything_stops_in_order_when_the_foreground_and_its_group_are_killed(
    data_dir: Path,
) -> None:
    up = Up(data_dir, [_serving("store", outlives=1)], [_serving("api")])
    up.wait_until_ready()

    os.killpg(up.foreground.pid, signal.SIGKILL)
    up.foreground.wait(5)

    until(lambda: not up.living(), up.output.read_text)
    assert [name for event, name, _ in up.journal() if event == "stop"] == [
        "api",
        "store",
    ]


def test_the_next_start_ends_what_was_left_when_both_were_killed(
    data_dir: Path,
) -> None:
    up = Up(data_dir, [_serving("deaf", "stubborn"), _serving("family", "parent")])
    up.wait_until_ready()

    os.kill(up.supervisor_pid, signal.SIGSTOP)
    os.kill(up.foreground.pid, signal.SIGKILL)
    os.kill(up.supervisor_pid, signal.SIGKILL)
    up.foreground.wait(5)
    left = up.living()
    assert up.pid("deaf") in left

    again = Up(data_dir, [_serving("api")])
    again.wait_until_ready()
    assert not left & again.living()
    again.foreground.send_signal(signal.SIGTERM)
    again.wait_until_gone()


def test_a_child_that_dies_is_started_again_and_leaves_no_child_of_its_own(
    data_dir: Path,
) -> None:
    up = Up(data_dir, [_serving("family", "parent")])
    up.wait_until_ready()
    first = up.pid("family")
    same_group = {pid for pid in up.living() if os.getpgid(pid) == first}
    assert len(same_group) == 2

    os.kill(first, signal.SIGKILL)

    until(lambda: up.journal()[-1][0] == "start" and len(up.journal()) == 2)
    until(lambda: up.pid("family") != first)
    assert not same_group & up.living()
    assert "family was killed by SIGKILL; starting it again" in up.output.read_text()
    up.foreground.send_signal(signal.SIGTERM)
    up.wait_until_gone()


def test_a_child_that_keeps_dying_is_waited_for_longer_each_time(
    data_dir: Path,
) -> None:
    up = Up(data_dir, [_serving("faulty", "die", needed=False)])
    up.wait_until_ready()
    until(lambda: len(up.journal()) == 3)
    up.foreground.send_signal(signal.SIGTERM)
    up.wait_until_gone()

    first, second, third = (at for _, _, at in up.journal())
    assert 0.5 <= second - first < third - second


def test_a_needed_child_that_keeps_dying_ends_the_start(data_dir: Path) -> None:
    up = Up(data_dir, [_serving("store"), _serving("faulty", "crash")])

    assert up.wait_until_gone() == 1
    said = up.output.read_text()
    assert "cannot start: faulty keeps dying as it starts. It wrote last:" in said
    assert "faulty says hello" in said


def test_a_failed_preparation_is_shown_and_everything_is_stopped(
    data_dir: Path,
) -> None:
    up = Up(data_dir, [_serving("store")], [_serving("prepare", "die", once=True)])

    assert up.wait_until_gone() == 1
    assert "cannot start: prepare says hello" in up.output.read_text()


def test_a_data_directory_in_use_is_refused_with_the_owner_named(
    data_dir: Path,
) -> None:
    up = Up(data_dir, [_serving("api")])
    up.wait_until_ready()
    other = data_dir.with_name("other.txt")

    with other.open("w") as output:
        second = subprocess.run(
            [sys.executable, "-c", _FOREGROUND, str(data_dir), "[]"],
            stdout=output,
            cwd=_ROOT,
            timeout=20,
            check=False,
        )

    assert second.returncode == 1
    assert f"is in use by process {up.supervisor_pid}" in other.read_text()
    assert up.pid("api") in up.living()
    up.foreground.send_signal(signal.SIGTERM)
    up.wait_until_gone()


def _watches(pid: int) -> bool:
    """Whether the foreground handles signals itself: Python alone leaves SIGHUP be."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught & 1 << (signal.SIGHUP - 1))
