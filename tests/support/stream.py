"""Server-sent events of a run, read into a list."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as it came: `id` is None for `done`, whose data is no JSON."""

    id: int | None
    name: str
    data: Any


async def read_stream(
    api: httpx2.AsyncClient, method: str, path: str, **request: Any
) -> list[Sent]:
    """All events of a stream that ends by itself."""
    async with open_stream(api, method, path, **request) as events:
        return [event async for event in events]


@asynccontextmanager
async def open_stream(
    api: httpx2.AsyncClient, method: str, path: str, **request: Any
) -> AsyncIterator[AsyncIterator[Sent]]:
    """A stream to be read event by event, and perhaps left early."""
    async with api.stream(method, path, **request) as response:
        if response.status_code != 200:
            body = await response.aread()
            raise AssertionError(f"{response.status_code}: {body.decode()[:500]}")
        assert response.headers["content-type"].startswith("text/event-stream")
        yield events_of(response)


async def events_of(response: httpx2.Response) -> AsyncIterator[Sent]:
    """The events of a response, as they come."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            assert name not in fields, f"two lines of {name} in one event"
            fields[name] = value
        elif not line and fields:
            number = fields.get("id")
            data = fields["data"]
            yield Sent(
                int(number) if number else None,
                fields["event"],
                data if fields["event"] == "done" else json.loads(data),
            )
            fields = {}


def names(events: list[Sent]) -> list[str]:
    """The names of events, runs of equal ones told once."""
    told: list[str] = []
    for event in events:
        if not told or told[-1] != event.name:
            told.append(event.name)
    return told


def text_of(events: list[Sent]) -> dict[str, str]:
    """What followers hold of each message after its deltas, by message id."""
    texts: dict[str, str] = {}
    for event in events:
        if event.name == "thread.message.created":
            texts[event.data["id"]] = ""
        elif event.name == "thread.message.delta":
            for part in event.data["delta"]["content"]:
                if part["type"] == "text":
                    texts[event.data["id"]] += part["text"].get("value", "")
    return texts


def named(events: list[Sent], name: str) -> list[Any]:
    """The data of all events of that name."""
    return [event.data for event in events if event.name == name]
