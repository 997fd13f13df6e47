"""Every job has a task; one loop serves a process, and a fork gets its own."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import jobs
from runtime.worker import tasks
from runtime.worker.loop import Loop

ROOT = Path(__file__).resolve().parents[2]


def test_every_job_has_a_task_and_a_queue() -> None:
    known = {task.name for task in (tasks.drive_runs, tasks.ingest_files)}

    assert known == set(jobs.QUEUES)


def test_work_of_many_threads_runs_on_one_loop() -> None:
    loop = Loop()

    async def here() -> int:
        return id(asyncio.get_running_loop())

    futures = [loop.submit(here()) for _ in range(5)]

    assert len({future.result(5) for future in futures} | {loop.run(here())}) == 1
    loop.stop()


def test_an_exception_comes_back_to_who_waits() -> None:
    loop = Loop()

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.run(fail())
    loop.stop()


def test_parent_and_child_of_a_fork_each_have_a_loop() -> None:
    # As Celery's prefork does it: the parent has not used its loop before. In a process
    # of its own: this one has threads, which a fork would lose.
    script = """
import asyncio, os
from runtime.worker.loop import Loop
loop = Loop()
pid = os.fork()
if pid == 0:
    os._exit(0 if loop.run(asyncio.sleep(0, "alive")) == "alive" else 1)
_, status = os.waitpid(pid, 0)
assert loop.run(asyncio.sleep(0, "here too")) == "here too"
print("status", os.waitstatus_to_exitcode(status))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=30,
    )

    assert done.stdout.strip() == "status 0", done.stderr


def test_the_api_process_does_not_load_celery_before_it_rings() -> None:
    script = (
        "import sys, runtime.api.app; "
        "print(sorted(m for m in ('celery', 'openai', 'numpy') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )

    assert done.stdout.strip() == "[]"
