"""The Celery app of worker processes: queues, and what happens at start and stop.

    celery -A runtime.worker.app worker -Q runs   -P threads -c 200
    celery -A runtime.worker.app worker -Q ingest -P prefork -c 2

`assistants worker` starts these with the right options.
"""

import gc
from typing import Any

from celery import signals

from runtime.jobs import make_celery
from runtime.observability.logging import configure_logging
from runtime.settings import Settings

# Loaded before any child is forked: it shares this memory, and each child more holds
# 22 MB instead of 73.
from runtime.worker import process

_MAX_TASKS_PER_CHILD = 200

settings = Settings()
app = make_celery(settings.effective_redis_url)
app.conf.update(
    imports=("runtime.worker.tasks",),
    # Parsers leak a little; a child that has worked enough makes room for another.
    worker_max_tasks_per_child=_MAX_TASKS_PER_CHILD,
)


def _set_up_logging(**_: Any) -> None:
    configure_logging(settings.log_level, settings.log_format)


def _start_threads(instance: Any, **_: Any) -> None:
    # Under `threads` this process does the work; under `prefork` its children do.
    if _uses_threads(instance):
        process.start(settings, drives_runs=True)
    else:
        # The collector writes a mark into every object it looks at, and so would copy,
        # into each child, every page that it shares with this process.
        gc.freeze()


def _start_child(**_: Any) -> None:
    process.start(settings, drives_runs=False)


def _stop_child(**_: Any) -> None:
    process.stop(seconds=0)


def _stop_threads(**_: Any) -> None:
    # Called in the signal handler: whoever waits there holds up what it waits for.
    process.stop_soon(settings.shutdown_seconds)


def _uses_threads(worker: Any) -> bool:
    return "thread" in str(worker.pool_cls)


signals.setup_logging.connect(_set_up_logging)
# Not `worker_init`: it comes before the pool is chosen.
signals.celeryd_after_setup.connect(_start_threads)
signals.worker_process_init.connect(_start_child)
signals.worker_process_shutdown.connect(_stop_child)
signals.worker_shutting_down.connect(_stop_threads)
