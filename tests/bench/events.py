"""How late a token is, from the model's mouth to the client; and what the bus carries."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from openai import AsyncOpenAI

from runtime.events.bus import Bus
from runtime.events.event import Event
from runtime.events.follow import Follower
from tests.bench.children import model_server
from tests.bench.floors import stream_seconds
from tests.bench.measure import median, percentile
from tests.bench.report import Report
from tests.bench.setting import Setting
from tests.bench.up import Up

_PAUSE_SECONDS = 0.05
_CROWD = 50
_SILENCE_SECONDS = 10.0
_STREAM = "bench:bus"

Lateness = list[float]


async def measure(setting: Setting) -> Report:
    """One stream and fifty through model → worker → Redis → API → client; the bus alone."""
    report = Report(
        "Events: from the model through worker, Redis and API to the client",
        floor="the same tokens straight from the model; for the bus, one entry through "
        "a Redis stream by the same client library.",
    )
    tokens = setting.times(200, 40)
    with (
        model_server(setting.scratch, "tests.bench.clock_model") as server,
        setting.up(upstream_url=server.base_url) as up,
    ):
        async with (
            AsyncOpenAI(base_url=server.base_url, api_key="-", timeout=120) as model,
            up.client() as client,
        ):
            for streams in (1, _CROWD):
                straight = await _together(streams, lambda: _straight(model, tokens))
                through = await _together(streams, lambda: _through(client, tokens))
                _add(report, streams, through, straight)
        one = await stream_seconds(up, setting.times(500, 50))
        late, per_second = await _bus(up, setting.times(3000, 300))
    report.add(
        "bus: append → follower, p50", median(late) * 1000, "ms", floor=one * 1000
    )
    report.add("bus: append → follower, p99", percentile(late, 99) * 1000, "ms")
    report.add(
        "bus: events, one producer",
        per_second,
        "/s",
        floor=1 / one,
        more_is_better=True,
    )
    report.notes.append(
        f"A token each {_PAUSE_SECONDS * 1000:.0f} ms a stream. The worker speaks at "
        "once when it has been silent for 25 ms, else it gathers that long. The bus is "
        "measured with producer and follower on one event loop."
    )
    return report


def _add(report: Report, streams: int, through: Lateness, straight: Lateness) -> None:
    what = "one stream" if streams == 1 else f"{streams} streams"
    for percent in (50, 99):
        report.add(
            f"{what}: token said → received, p{percent}",
            percentile(through, percent) * 1000,
            "ms",
            floor=percentile(straight, percent) * 1000,
        )


async def _together(streams: int, one: Callable[[], Awaitable[Lateness]]) -> Lateness:
    found = await asyncio.gather(*(one() for _ in range(streams)))
    return [late for of_one in found for late in of_one]


async def _straight(model: AsyncOpenAI, tokens: int) -> Lateness:
    late: Lateness = []
    async for chunk in await model.chat.completions.create(
        model="clock",
        messages=[{"role": "user", "content": _asked(tokens)}],
        stream=True,
    ):
        late += _read(chunk.choices[0].delta.content or "")
    return _all(late, tokens)


async def _through(client: AsyncOpenAI, tokens: int) -> Lateness:
    late: Lateness = []
    assistant = await client.beta.assistants.create(model="clock")
    async for event in await client.beta.threads.create_and_run(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": _asked(tokens)}]},
        stream=True,
    ):
        if event.event == "thread.message.delta":
            for part in event.data.delta.content or ():
                if part.type == "text" and part.text is not None:
                    late += _read(part.text.value or "")
    return _all(late, tokens)


def _asked(tokens: int) -> str:
    return json.dumps({"count": tokens, "pause": _PAUSE_SECONDS})


def _read(text: str) -> Lateness:
    now = time.monotonic_ns()
    return [(now - int(said)) / 1e9 for said in text.split()]


def _all(late: Lateness, tokens: int) -> Lateness:
    if len(late) != tokens:
        raise RuntimeError(f"{len(late)} of {tokens} tokens were received.")
    return late


async def _bus(up: Up, events: int) -> tuple[Lateness, float]:
    """How late each event was, and how many there were a second."""
    async with (
        _open_bus(up) as speaker,
        _open_bus(up) as listener,
        listener.follow(_STREAM, 0) as follower,
    ):
        listening = asyncio.create_task(_listen(follower, events))
        began = time.perf_counter()
        for number in range(1, events + 1):
            data = {"said_at": time.perf_counter(), "padding": "x" * 200}
            await speaker.append([Event(_STREAM, number, "delta", data)])
        late = await listening
        return late, events / (time.perf_counter() - began)


async def _listen(follower: Follower, events: int) -> Lateness:
    late = []
    for _ in range(events):
        event = await follower.next(_SILENCE_SECONDS)
        if event is None:
            raise RuntimeError("An event was lost on the bus.")
        late.append(time.perf_counter() - event.data["said_at"])
    return late


@contextlib.asynccontextmanager
async def _open_bus(up: Up) -> AsyncIterator[Bus]:
    bus = Bus(up.redis_url)
    try:
        yield bus
    finally:
        await bus.close()
