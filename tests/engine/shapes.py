"""What every stream of a run must be, whatever happened in it."""

import json
from typing import Any

from pydantic import TypeAdapter

from runtime.wire.events import PAYLOAD_TYPES
from tests.engine.talk import Json, Talk
from tests.support.stream import Sent, named

PLAIN = [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
    "done",
]


def check_shapes(events: list[Sent]) -> None:
    """Each event is of its wire model, numbers grow, and `done` ends it.

    One step is open at a time: the official SDK for Node.js refuses another.
    """
    assert (events[-1].name, events[-1].data) == ("done", "[DONE]")
    numbers = []
    for event in events[:-1]:
        adapter: TypeAdapter[Any] = TypeAdapter(PAYLOAD_TYPES[event.name])  # type: ignore[index]  # a name of the wire
        adapter.validate_json(json.dumps(event.data))
        numbers.append(event.id or 0)
    assert numbers == sorted(set(numbers))
    open_step = None
    for event in events:
        if event.name == "thread.run.step.created":
            assert open_step is None
            open_step = event.data["id"]
        elif event.name.startswith("thread.run.step."):
            assert event.data["id"] == (open_step or event.data["id"])
            if event.data.get("status", "in_progress") != "in_progress":
                open_step = None


async def check_same_by_polling(talk: Talk, events: list[Sent]) -> Json:
    """What the stream told last is what one reads afterwards."""
    told = events[-2].data
    run = await talk.get(told["id"])
    assert run == told
    stored = {message["id"]: message for message in await talk.messages()}
    for state in ("completed", "incomplete"):
        for message in named(events, f"thread.message.{state}"):
            assert stored[message["id"]] == message
    steps = {step["id"]: step for step in await talk.steps(run["id"])}
    for event in events:
        if event.name == "thread.run.step.completed":
            assert steps[event.data["id"]] == event.data
    return run
