"""A thread with one message and an assistant whose model is scripted."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.support.stream import Sent, open_stream, read_stream
from tests.support.turns import AnyTurn
from tests.support.upstream import Upstream

Json = dict[str, Any]

ADD = {"type": "function", "function": {"name": "add", "parameters": {}}}
LIVE = ("queued", "in_progress", "requires_action", "cancelling")


@dataclass(frozen=True, slots=True)
class Talk:
    """What a test needs to run an assistant on a thread, over HTTP."""

    api: httpx2.AsyncClient
    upstream: Upstream
    model: str
    assistant_id: str
    thread_id: str

    @property
    def path(self) -> str:
        return f"/threads/{self.thread_id}"

    @property
    def requests(self) -> list[Json]:
        """What the model was asked, in order."""
        return self.upstream.requests(self.model)

    async def stream(self, **body: Any) -> list[Sent]:
        """Create a run and read its stream to the end."""
        return await read_stream(
            self.api, "POST", f"{self.path}/runs", json=self._body(body, stream=True)
        )

    def streaming(
        self, **body: Any
    ) -> AbstractAsyncContextManager[AsyncIterator[Sent]]:
        """Create a run and follow it as far as one likes."""
        return open_stream(
            self.api, "POST", f"{self.path}/runs", json=self._body(body, stream=True)
        )

    async def create(self, **body: Any) -> Json:
        """Create a run."""
        return await call(self.api, "POST", f"{self.path}/runs", json=self._body(body))

    def _body(self, body: Json, **more: Any) -> Json:
        return {"assistant_id": self.assistant_id, **body, **more}

    async def run(self, **body: Any) -> Json:
        """Create a run and wait until it ends or wants something."""
        return await self.settled((await self.create(**body))["id"])

    async def get(self, run_id: str) -> Json:
        return await call(self.api, "GET", f"{self.path}/runs/{run_id}")

    async def until(self, run_id: str, *statuses: str, seconds: float = 20) -> Json:
        """Wait until the run is in one of these states."""
        deadline = time.monotonic() + seconds
        while (run := await self.get(run_id))["status"] not in statuses:
            assert time.monotonic() < deadline, f"{run['status']}, never {statuses}"
            await asyncio.sleep(0.03)
        return run

    async def settled(self, run_id: str, *, seconds: float = 20) -> Json:
        """Wait until the run ends, or waits for outputs."""
        ends = ("completed", "failed", "cancelled", "expired", "incomplete")
        return await self.until(run_id, *ends, "requires_action", seconds=seconds)

    async def cancel(self, run_id: str) -> httpx2.Response:
        return await self.api.post(f"{self.path}/runs/{run_id}/cancel")

    async def submit(self, run: Json, *outputs: str, **body: Any) -> httpx2.Response:
        """Answer the open calls of a run in order."""
        return await self.api.post(
            f"{self.path}/runs/{run['id']}/submit_tool_outputs",
            json={"tool_outputs": answers(run, *outputs), **body},
        )

    async def messages(self, **params: Any) -> list[Json]:
        """The messages, oldest first."""
        params = {"order": "asc", "limit": 100, **params}
        page = await call(self.api, "GET", f"{self.path}/messages", params=params)
        data: list[Json] = page["data"]
        return data

    async def texts(self) -> list[str]:
        """The text of each message, oldest first."""
        return [text(message) for message in await self.messages()]

    async def steps(self, run_id: str) -> list[Json]:
        """The steps, oldest first."""
        page = await call(
            self.api, "GET", f"{self.path}/runs/{run_id}/steps", params={"order": "asc"}
        )
        data: list[Json] = page["data"]
        return data

    async def say(self, content: str) -> httpx2.Response:
        """Add a message of the user."""
        return await self.api.post(
            f"{self.path}/messages", json={"role": "user", "content": content}
        )


def open_calls(run: Json) -> list[Json]:
    """The calls that a run waits for."""
    calls: list[Json] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return calls


def answers(run: Json, *outputs: str) -> list[Json]:
    """Outputs for the open calls of a run, in order."""
    return [
        {"tool_call_id": made["id"], "output": output}
        for made, output in zip(open_calls(run), outputs, strict=True)
    ]


def text(message: Json) -> str:
    """The text of a message."""
    return "".join(
        part["text"]["value"] for part in message["content"] if part["type"] == "text"
    )


async def call(api: httpx2.AsyncClient, method: str, path: str, **more: Any) -> Json:
    """What the API answers with success."""
    response = await api.request(method, path, **more)
    assert response.status_code == 200, response.text
    body: Json = response.json()
    return body


async def begin(
    api: httpx2.AsyncClient,
    upstream: Upstream,
    *turns: AnyTurn,
    say: str | None = "Hello.",
    repeat: bool = False,
    **assistant: Any,
) -> Talk:
    """An assistant whose model plays these turns, and a thread with one message."""
    model = upstream.script(*turns, repeat=repeat)
    made = await call(api, "POST", "/assistants", json={"model": model, **assistant})
    messages = [{"role": "user", "content": say}] if say else []
    thread = await call(api, "POST", "/threads", json={"messages": messages})
    return Talk(api, upstream, model, made["id"], thread["id"])
