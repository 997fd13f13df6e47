"""Server-sent events of a run: 25 names, and what each carries.

A stream is `event: name`, one line `data: json`, a blank line. The data does not repeat
the name. A plain run tells, in order: run created, queued, in_progress; step created,
in_progress; message created, in_progress, delta…, completed; step completed; run
completed; done.
"""

from typing import Annotated, Literal, get_args

from pydantic import Discriminator

from runtime.wire.base import WireModel
from runtime.wire.errors import ErrorResponse
from runtime.wire.messages import MessageDeltaObject, MessageObject
from runtime.wire.runs import RunObject
from runtime.wire.steps import RunStepDeltaObject, RunStepObject
from runtime.wire.threads import ThreadObject

ThreadEventName = Literal["thread.created"]
RunEventName = Literal[
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.requires_action",
    "thread.run.completed",
    "thread.run.incomplete",
    "thread.run.failed",
    "thread.run.cancelling",
    "thread.run.cancelled",
    "thread.run.expired",
]
RunStepEventName = Literal[
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.run.step.completed",
    "thread.run.step.failed",
    "thread.run.step.cancelled",
    "thread.run.step.expired",
]
RunStepDeltaEventName = Literal["thread.run.step.delta"]
MessageEventName = Literal[
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.completed",
    "thread.message.incomplete",
]
MessageDeltaEventName = Literal["thread.message.delta"]
ErrorEventName = Literal["error"]
DoneEventName = Literal["done"]

EventName = (
    ThreadEventName
    | RunEventName
    | RunStepEventName
    | RunStepDeltaEventName
    | MessageEventName
    | MessageDeltaEventName
    | ErrorEventName
    | DoneEventName
)

DONE: Literal["[DONE]"] = "[DONE]"
"""The data of the last event; the one that is not JSON."""


class ThreadStreamEvent(WireModel):
    """Comes first, and only when the request made the thread too."""

    event: ThreadEventName
    data: ThreadObject


class RunStreamEvent(WireModel):
    event: RunEventName
    data: RunObject


class RunStepStreamEvent(WireModel):
    event: RunStepEventName
    data: RunStepObject


class RunStepDeltaStreamEvent(WireModel):
    event: RunStepDeltaEventName
    data: RunStepDeltaObject


class MessageStreamEvent(WireModel):
    event: MessageEventName
    data: MessageObject


class MessageDeltaStreamEvent(WireModel):
    event: MessageDeltaEventName
    data: MessageDeltaObject


class ErrorEvent(WireModel):
    """A stream that broke. A run that fails is `thread.run.failed`, not this.

    The data is the wrapped envelope, not the bare error of the official document: only
    the wrapped form makes the official SDK raise.
    """

    event: ErrorEventName = "error"
    data: ErrorResponse


class DoneEvent(WireModel):
    """The end of a stream."""

    event: DoneEventName = "done"
    data: Literal["[DONE]"] = DONE


AssistantStreamEvent = Annotated[
    ThreadStreamEvent
    | RunStreamEvent
    | RunStepStreamEvent
    | RunStepDeltaStreamEvent
    | MessageStreamEvent
    | MessageDeltaStreamEvent
    | ErrorEvent
    | DoneEvent,
    Discriminator("event"),
]

EventPayload = (
    ThreadObject
    | RunObject
    | RunStepObject
    | RunStepDeltaObject
    | MessageObject
    | MessageDeltaObject
    | ErrorResponse
)


def _payload_types() -> dict[EventName, type[EventPayload]]:
    table: dict[object, type[EventPayload]] = {
        ThreadEventName: ThreadObject,
        RunEventName: RunObject,
        RunStepEventName: RunStepObject,
        RunStepDeltaEventName: RunStepDeltaObject,
        MessageEventName: MessageObject,
        MessageDeltaEventName: MessageDeltaObject,
        ErrorEventName: ErrorResponse,
    }
    return {
        name: payload for names, payload in table.items() for name in get_args(names)
    }


PAYLOAD_TYPES = _payload_types()
"""Event name → the model of its data, for all names but `done`."""
