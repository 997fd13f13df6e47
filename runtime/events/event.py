"""One event of a run, as it lies in the outbox, in Redis and on the wire."""

from dataclasses import dataclass
from typing import Any

# After these the stream of a run pauses or ends, and a follower is told `done`.
CLOSING = frozenset(
    {
        "thread.run.requires_action",
        "thread.run.completed",
        "thread.run.failed",
        "thread.run.incomplete",
        "thread.run.cancelled",
        "thread.run.expired",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of one run.

    `number` grows along the stream (gaps are allowed) and is the SSE `id:`; `data` is
    the wire object.
    """

    stream: str
    number: int
    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CancelBell:
    """A word to whichever worker holds this run: look whether you should stop.

    It names the run by its id. All who use one Redis hear it, whichever of its numbered
    databases is theirs, and keys begin with 1 in each of theirs.
    """

    run_id: str
