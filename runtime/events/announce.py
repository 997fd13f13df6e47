"""Put an event into the outbox of this transaction."""

from typing import Any, Protocol

from runtime.db.transaction import Session
from runtime.events.event import CancelBell, Event


class Numbered(Protocol):
    """What counts its events: a run. Locked, or claimed, by whoever announces."""

    pk: Any
    project_id: Any
    id: Any
    event_seq: Any


def stream_of(run: Numbered) -> str:
    """The name of a run's stream: by its id, which no other database gives out again."""
    return f"assistants:run:{run.project_id}:{run.id}"


def announce(session: Session, run: Numbered, name: str, data: dict[str, Any]) -> None:
    """Tell the followers of `run`, once this transaction has committed.

    The number is taken from the run's own counter within the transaction, so two
    writers cannot give one number twice; Redis refuses a number that is not larger,
    which keeps a worker given up for dead from speaking over its successor.
    """
    run.event_seq += 1
    session.outbox.append(Event(stream_of(run), run.event_seq, name, data))


def announced(session: Session, run: Numbered) -> list[Event]:
    """The events of `run` that this transaction has announced, in order.

    It may have announced the end of other runs, too, of which this one takes the place.
    """
    stream = stream_of(run)
    return [
        entry
        for entry in session.outbox
        if isinstance(entry, Event) and entry.stream == stream
    ]


def ring_cancel(session: Session, run_id: str) -> None:
    """Tell the worker that holds a run to look up, once this transaction has committed."""
    session.outbox.append(CancelBell(run_id))
