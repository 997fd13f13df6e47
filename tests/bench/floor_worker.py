"""A Celery worker whose only task does nothing: the floor of every nudge.

    FLOOR_REDIS_URL=… celery -A tests.bench.floor_worker worker -Q floor -P threads

It is made as the runtime's own app is (`runtime.jobs`), with the same settings.
"""

import os

from redis import Redis

from runtime.jobs import make_celery
from tests.bench.floors import ANSWERS, NOOP, REDIS_URL

app = make_celery(os.environ[REDIS_URL])
_redis = Redis.from_url(os.environ[REDIS_URL])


@app.task(name=NOOP, ignore_result=True)  # type: ignore[untyped-decorator]  # Celery publishes no types
def noop() -> None:
    """Say that the nudge has come."""
    _redis.lpush(ANSWERS, b"")
