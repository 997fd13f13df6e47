"""An event handler of the official client that writes down what it is told."""

from typing import Any

from openai import AsyncAssistantEventHandler
from openai.types.beta.threads import Message
from openai.types.beta.threads.runs import RunStep
from typing_extensions import override


class Told(AsyncAssistantEventHandler):
    """Writes down what was called, in order, equal ones in a row once."""

    def __init__(self) -> None:
        super().__init__()
        self.called: list[str] = []
        self.text = ""
        self.done: list[Any] = []

    def note(self, name: str) -> None:
        if not self.called or self.called[-1] != name:
            self.called.append(name)

    @override
    async def on_run_step_created(self, run_step: RunStep) -> None:
        self.note("step created")

    @override
    async def on_run_step_done(self, run_step: RunStep) -> None:
        self.note("step done")
        self.done.append(run_step)

    @override
    async def on_tool_call_created(self, tool_call: Any) -> None:
        self.note("call created")

    @override
    async def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        self.note("call delta")

    @override
    async def on_tool_call_done(self, tool_call: Any) -> None:
        self.note("call done")
        self.done.append(tool_call)

    @override
    async def on_message_created(self, message: Message) -> None:
        self.note("message created")

    @override
    async def on_message_delta(self, delta: Any, snapshot: Message) -> None:
        self.note("message delta")

    @override
    async def on_message_done(self, message: Message) -> None:
        self.note("message done")
        self.done.append(message)

    @override
    async def on_text_created(self, text: Any) -> None:
        self.note("text created")

    @override
    async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.text += delta.value or ""

    @override
    async def on_text_done(self, text: Any) -> None:
        self.note("text done")
        assert text.value == self.text

    @override
    async def on_exception(self, exception: Exception) -> None:
        raise exception

    @override
    async def on_end(self) -> None:
        self.note("end")
