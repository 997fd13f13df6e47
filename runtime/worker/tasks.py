"""Every background job: shells, safe to deliver twice."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from celery import shared_task

from runtime import jobs

if TYPE_CHECKING:
    from runtime.worker.process import Process


def _task(name: str) -> Callable[[Callable[[], None]], Any]:
    # Celery publishes no types.
    decorate: Callable[[Callable[[], None]], Any] = shared_task(
        name=name, ignore_result=True
    )
    return decorate


@_task(jobs.DRIVE_RUNS)
def drive_runs() -> None:
    """A nudge: claim the fairest waiting run, carry it as far as it will go, then the next."""
    from runtime.engine.drive import drive_waiting

    process = _process()
    process.loop.run(drive_waiting(process.engine))


@_task(jobs.INGEST_FILES)
def ingest_files() -> None:
    """A nudge: claim a waiting file, make it searchable, then the next."""
    from runtime.ingest.pipeline import ingest_waiting

    process = _process()
    process.loop.run(ingest_waiting(process.ingest))


def _process() -> "Process":
    # Imported where work is done: the parent of prefork children does none, and would
    # hold 50 MB for nothing.
    from runtime.worker.process import process

    return process()
