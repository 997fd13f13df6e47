"""What a lost worker had said and not stored, as far as Redis still knows of it."""

from datetime import UTC, datetime
from typing import Any

from runtime.engine.citations import CitedText
from runtime.engine.turn import Saying, Turn, derived_id
from runtime.events.announce import stream_of
from runtime.events.bus import Bus
from runtime.events.event import Event
from runtime.runs.models import Run


async def leftover_of(bus: Bus, run: Run) -> Turn | None:
    """The unfinished turn that followers of this run have heard of, if there is one.

    Args:
        bus: where it was told.
        run: as its row is. That row's number is of the last event that was kept.
    """
    turn: Turn | None = None
    for event in await bus.read(stream_of(run), run.event_seq):
        match event.name:
            case "thread.run.step.created" | "thread.message.created":
                turn = turn or Turn(run.turn)
                _begin(run, turn, event)
            case "thread.message.delta" if turn and turn.saying:
                for part in event.data["delta"].get("content", ()):
                    _add(turn.saying, part)
            case "thread.message.incomplete" | "thread.run.step.failed":
                turn = None  # closed already, by a takeover before this one
    return turn


def _begin(run: Run, turn: Turn, event: Event) -> None:
    told = event.data
    began_at = datetime.fromtimestamp(told["created_at"], UTC)
    if event.name == "thread.message.created":
        turn.saying = Saying(
            message_id=told["id"],
            # One that was spoken behind calls has a step that nobody heard of.
            step_id=turn.message_step_id
            or derived_id("step", run, run.attempt, told["id"]),
            step_idx=2 * turn.number,
            began_at=began_at,
            cited=CitedText({}),
            shows_step=bool(turn.message_step_id),
        )
    elif told["type"] == "tool_calls":
        turn.calls_step_id, turn.calls_began_at = told["id"], began_at
    else:
        turn.message_step_id = told["id"]


def _add(saying: Saying, part: dict[str, Any]) -> None:
    """A piece of a message, put where it was told to be."""
    match part["type"]:
        case "text":
            saying.cited.clean.append(part["text"].get("value", ""))
        case "refusal":
            saying.refusal += part["refusal"]
        case "image_file":
            saying.images = [*saying.images, part["image_file"]["file_id"]]
