"""Put a message on a thread, have it answered, and keep what one can see of the run."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from openai import OpenAI
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.required_action_function_tool_call import (
    RequiredActionFunctionToolCall,
)
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput
from openai.types.beta.threads.runs import RunStep

from runtime.cli.demo.checks import PartFailed

# Quick enough to time a run by, and no burden on a server at hand.
_POLL_MS = 100

Functions = Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A completed run: its message, its steps in order, and how long it took.

    `events` counts the stream's events by name, `streamed` is the text put together from
    its deltas; both are empty for a run that was polled. `called` holds each call of a
    function: name, arguments, output.
    """

    run: Run
    message: Message
    steps: list[RunStep]
    seconds: float
    first_text_seconds: float | None = None
    events: Counter[str] = field(default_factory=Counter)
    streamed: str = ""
    called: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text of the message."""
        return "\n".join(
            part.text.value for part in self.message.content if part.type == "text"
        )


def ask_streaming(
    client: OpenAI, assistant_id: str, question: str, on_text: Callable[[str], None]
) -> Answer:
    """Ask on a new thread and follow the run's stream.

    Raises:
        PartFailed: the run did not complete.
    """
    thread_id = _thread_with(client, question)
    began = time.monotonic()
    first_text: float | None = None
    events: Counter[str] = Counter()
    pieces: list[str] = []
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant_id
    ) as stream:
        for event in stream:
            events[event.event] += 1
            if event.event != "thread.message.delta":
                continue
            for part in event.data.delta.content or ():
                if part.type == "text" and part.text and part.text.value:
                    first_text = first_text or time.monotonic() - began
                    pieces.append(part.text.value)
                    on_text(part.text.value)
        run = stream.current_run
    seconds = time.monotonic() - began
    if run is None:
        raise PartFailed("the stream told nothing of its run")
    return Answer(
        run=_completed(run),
        message=_message_of(client, run),
        steps=_steps_of(client, run),
        seconds=seconds,
        first_text_seconds=first_text,
        events=events,
        streamed="".join(pieces),
    )


def ask_polling(
    client: OpenAI, assistant_id: str, question: str, functions: Functions
) -> Answer:
    """Ask on a new thread and poll the run; functions it wants are called here.

    Raises:
        PartFailed: the run did not complete.
    """
    thread_id = _thread_with(client, question)
    called: list[tuple[str, dict[str, Any], str]] = []
    began = time.monotonic()
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread_id, assistant_id=assistant_id, poll_interval_ms=_POLL_MS
    )
    while run.status == "requires_action" and run.required_action is not None:
        outputs: list[ToolOutput] = []
        for call in run.required_action.submit_tool_outputs.tool_calls:
            arguments, output = _call(call, functions)
            called.append((call.function.name, arguments, output))
            outputs.append({"tool_call_id": call.id, "output": output})
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id,
            thread_id=thread_id,
            tool_outputs=outputs,
            poll_interval_ms=_POLL_MS,
        )
    seconds = time.monotonic() - began
    return Answer(
        run=_completed(run),
        message=_message_of(client, run),
        steps=_steps_of(client, run),
        seconds=seconds,
        called=called,
    )


def _thread_with(client: OpenAI, question: str) -> str:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": question}]
    )
    return thread.id


def _call(
    call: RequiredActionFunctionToolCall, functions: Functions
) -> tuple[dict[str, Any], str]:
    try:
        arguments = json.loads(call.function.arguments)
        return arguments, json.dumps(functions[call.function.name](arguments))
    except (KeyError, ValueError, TypeError) as error:
        # A model may err; it is told so, and may try again.
        return {}, f"That call cannot be made: {error!r}"


def _completed(run: Run) -> Run:
    if run.status == "completed":
        return run
    reason = run.last_error.message if run.last_error else "no reason was given"
    raise PartFailed(f"the run ended as {run.status}: {reason}")


def _message_of(client: OpenAI, run: Run) -> Message:
    found = client.beta.threads.messages.list(run.thread_id, run_id=run.id, limit=1)
    if not found.data:
        raise PartFailed("the run is completed, but it left no message")
    return found.data[0]


def _steps_of(client: OpenAI, run: Run) -> list[RunStep]:
    listed = client.beta.threads.runs.steps.list(
        run.id, thread_id=run.thread_id, order="asc", limit=100
    )
    return list(listed)
