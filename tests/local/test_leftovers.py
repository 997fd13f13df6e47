"""Which processes an `up` may end as those that an earlier one has left."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.local import redis
from runtime.local.leftovers import end_leftovers, mark, write_pid_file
from runtime.settings import Settings
from tests.local.watch import until

_SLEEPING = [sys.executable, "-c", "import time; time.sleep(60)"]


def _settings(directory: Path) -> Settings:
    (directory / "run").mkdir(parents=True)
    return Settings(data_dir=directory)


@contextmanager
def _running(argv: list[str], settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, env={**os.environ, **mark(settings)})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_what_bears_the_mark_is_ended(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "data")
    with _running(_SLEEPING, settings) as process:
        assert end_leftovers(settings) == 1
        assert process.wait(5) != 0


def test_a_copied_directory_leaves_the_processes_of_the_original(
    tmp_path: Path,
) -> None:
    original = _settings(tmp_path / "data")
    with _running(_SLEEPING, original) as process:
        write_pid_file(original, "api", process.pid)
        shutil.copytree(original.data_dir, tmp_path / "copy")
        copy = Settings(data_dir=tmp_path / "copy")

        assert end_leftovers(copy) == 0
        assert process.poll() is None
        assert list(copy.run_dir.iterdir()) == []


def test_a_redis_that_has_written_over_its_mark_is_known_by_where_it_works(
    tmp_path: Path,
) -> None:
    settings, other = _settings(tmp_path / "data"), _settings(tmp_path / "other")
    argv = redis.command(settings.sockets_dir / "redis.sock")
    with _running(argv, settings) as process:
        until(lambda: redis.is_ready(settings.sockets_dir / "redis.sock"))

        assert end_leftovers(other) == 0
        assert end_leftovers(settings) == 1
        assert process.wait(5) is not None
