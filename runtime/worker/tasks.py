"""Every background job: shells, safe to deliver twice."""

from collections.abc import Callable
from typing import Any

from celery import shared_task

from runtime import jobs
from runtime.engine.drive import drive_waiting
from runtime.ingest.pipeline import ingest_waiting
from runtime.worker.process import loop, process


def _task(name: str) -> Callable[[Callable[[], None]], Any]:
    # Celery publishes no types.
    decorate: Callable[[Callable[[], None]], Any] = shared_task(
        name=name, ignore_result=True
    )
    return decorate


@_task(jobs.DRIVE_RUNS)
def drive_runs() -> None:
    """A nudge: claim the fairest waiting run, carry it as far as it will go, then the next."""
    loop.run(drive_waiting(process().engine))


@_task(jobs.INGEST_FILES)
def ingest_files() -> None:
    """A nudge: claim a waiting file, make it searchable, then the next."""
    loop.run(ingest_waiting(process().ingest))
