"""After a worker was lost: what it had said and not stored is shown as abandoned.

Followers have heard half an answer under one message id. The new attempt begins another
message, so the old one must be closed first; else a follower would hold 144 tokens of a
100-token answer.
"""

from runtime.clock import now
from runtime.engine.citations import CitedText
from runtime.engine.claim import Claim
from runtime.engine.record import Record
from runtime.engine.turn import Saying, Turn
from runtime.events.announce import stream_of
from runtime.events.bus import Bus
from runtime.events.event import Event


async def abandon_leftovers(bus: Bus, record: Record, claim: Claim) -> None:
    """Close what the lost worker left open, as far as Redis still knows of it."""
    # The row's number is of the last event that was kept.
    told = await bus.read(stream_of(claim.run), claim.run.event_seq)
    turn = _leftover(told, claim.run.turn)
    if turn is not None:
        await record.abandon(turn)


def _leftover(told: list[Event], number: int) -> Turn | None:
    """The unfinished turn that these events speak of, the latest, if there is one."""
    turn: Turn | None = None
    for event in told:
        match event.name:
            case "thread.message.created":
                turn = turn or Turn(number)
                turn.saying = _saying(event, turn)
            case "thread.message.delta" if turn and turn.saying:
                turn.saying.cited.clean.append(_text(event))
            case "thread.run.step.created":
                turn = turn or Turn(number)
                if event.data["type"] == "tool_calls":
                    turn.calls_step_id = event.data["id"]
                    turn.calls_began_at = now()
                else:
                    message_step_id = event.data["id"]
                    turn.message_step_id = message_step_id
            case "thread.message.incomplete" | "thread.run.step.failed":
                turn = None  # closed already, by a takeover before this one
    return turn


def _saying(event: Event, turn: Turn) -> Saying:
    return Saying(
        message_id=event.data["id"],
        step_id=turn.message_step_id,
        step_idx=2 * turn.number,
        began_at=now(),
        cited=CitedText({}),
        shows_step=bool(turn.message_step_id),
    )


def _text(event: Event) -> str:
    parts = event.data["delta"].get("content", ())
    return "".join(
        part["text"].get("value", "") for part in parts if part["type"] == "text"
    )
