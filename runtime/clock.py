"""Time: aware UTC inside, whole unix seconds on the wire.

What decides (leases, expiry) asks Postgres' clock instead, so that all hosts agree.
"""

from datetime import UTC, datetime
from typing import overload


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


@overload
def unix(moment: datetime) -> int: ...
@overload
def unix(moment: None) -> None: ...
def unix(moment: datetime | None) -> int | None:
    """The wire's form of a moment: whole unix seconds, rounded down."""
    return None if moment is None else int(moment.timestamp())
