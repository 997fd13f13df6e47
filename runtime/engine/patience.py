"""Waiting for the database to come back, where the work can be run again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from runtime.db.transaction import DatabaseAway

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`; again, while the database is away.

    There is no limit here: a run has its own, and its lease will be somebody else's
    long before. What is given must be keyed or fenced, so that twice does no harm.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await work()
        except DatabaseAway:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
