"""What one run costs: one line to the built-in model, on an idle machine."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
from openai import AsyncOpenAI
from openai.types.beta import Assistant

from tests.bench.floors import commit_seconds, nudge_seconds
from tests.bench.measure import median, percentile
from tests.bench.report import Report
from tests.bench.setting import Setting
from tests.bench.up import Up

_TARGET_MS = 100
_WARM_UP = 10
_POLL_SECONDS = 0.005
# A run is written three times at least: queued, claimed, completed.
_COMMITS = 3

_BY_THE_ROW = """
    SELECT extract(epoch FROM ended_at - created_at)::float,
           extract(epoch FROM started_at - created_at)::float
    FROM runs WHERE id = ANY(%s) AND status = 'completed'
"""


@dataclass(slots=True)
class Seen:
    """Seconds since the request was sent, one entry a run, and the runs' ids."""

    run_ids: list[str] = field(default_factory=list)
    created: list[float] = field(default_factory=list)
    first_event: list[float] = field(default_factory=list)
    first_token: list[float] = field(default_factory=list)
    completed: list[float] = field(default_factory=list)


async def measure(setting: Setting) -> Report:
    """Poll closely, poll as the SDK does, stream: the same run each way."""
    report = Report(
        "One run: one line, answered by the built-in model",
        floor=f"a Celery task that does nothing, there and back, and {_COMMITS} durable "
        "one-row commits.",
    )
    times = setting.times(100, 15)
    with setting.up() as up:
        async with up.client() as client:
            assistant = await client.beta.assistants.create(model="builtin")
            await _polled(client, assistant, _WARM_UP)
            polled = await _polled(client, assistant, times)
            by_sdk = await _by_sdk(client, assistant, setting.times(20, 5))
            before = up.cpu_seconds()
            streamed = await _streamed(client, assistant, times)
            cpu = (up.cpu_seconds() - before) / times
        rows = _rows(up, streamed.run_ids)
        commit = commit_seconds(up, setting.times(300, 50))
        nudge = nudge_seconds(up, setting.times(200, 20))
    floor = (nudge + _COMMITS * commit) * 1000
    totals, waits = zip(*rows, strict=True)
    _add(report, "by the row: created → completed", totals, floor, _TARGET_MS)
    _add(report, "  of it created → claimed", waits, nudge * 1000)
    _add(report, "seen by polling each 5 ms: POST → completed", polled.completed, floor)
    _add(report, "  of it POST → its answer", polled.created)
    _add(report, "seen by the SDK's create_and_poll", by_sdk, floor)
    _add(report, "streamed: POST → first event", streamed.first_event)
    _add(report, "streamed: POST → first token", streamed.first_token, floor)
    _add(report, "streamed: POST → completed", streamed.completed, floor)
    report.add("CPU a run, all our processes and both stores", cpu * 1000, "ms")
    report.notes.append(
        f"Celery no-op {nudge * 1000:.1f} ms, commit {commit * 1000:.2f} ms (medians). "
        "The rows and the CPU are those of the streamed runs, each with its POST of a "
        "thread. create_and_poll asks again when our `openai-poll-after-ms` tells it to."
    )
    return report


def _add(
    report: Report,
    what: str,
    seconds: Sequence[float],
    floor: float | None = None,
    target: float | None = None,
) -> None:
    p50, p95 = median(seconds) * 1000, percentile(seconds, 95) * 1000
    report.add(f"{what}, p50", p50, "ms", floor=floor, target=target)
    report.add(f"{what}, p95", p95, "ms", floor=floor)


async def _polled(client: AsyncOpenAI, assistant: Assistant, times: int) -> Seen:
    seen = Seen()
    for _ in range(times):
        thread_id = await _thread(client)
        began = time.perf_counter()
        run = await client.beta.threads.runs.create(
            thread_id, assistant_id=assistant.id
        )
        seen.created.append(time.perf_counter() - began)
        while run.status in ("queued", "in_progress"):
            await asyncio.sleep(_POLL_SECONDS)
            run = await client.beta.threads.runs.retrieve(run.id, thread_id=thread_id)
        seen.completed.append(time.perf_counter() - began)
        seen.run_ids.append(run.id)
        _check(run.status)
    return seen


async def _by_sdk(client: AsyncOpenAI, assistant: Assistant, times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        thread_id = await _thread(client)
        began = time.perf_counter()
        run = await client.beta.threads.runs.create_and_poll(
            thread_id=thread_id, assistant_id=assistant.id
        )
        seconds.append(time.perf_counter() - began)
        _check(run.status)
    return seconds


async def _streamed(client: AsyncOpenAI, assistant: Assistant, times: int) -> Seen:
    seen = Seen()
    for _ in range(times):
        thread_id = await _thread(client)
        began = time.perf_counter()
        first: dict[str, float] = {}
        async for event in await client.beta.threads.runs.create(
            thread_id, assistant_id=assistant.id, stream=True
        ):
            first.setdefault(event.event, time.perf_counter() - began)
            if event.event == "thread.run.completed":
                seen.run_ids.append(event.data.id)
        seen.first_event.append(min(first.values()))
        seen.first_token.append(first["thread.message.delta"])
        seen.completed.append(first["thread.run.completed"])
    return seen


async def _thread(client: AsyncOpenAI) -> str:
    thread = await client.beta.threads.create(
        messages=[{"role": "user", "content": "Who are you?"}]
    )
    return thread.id


def _check(status: str) -> None:
    if status != "completed":
        raise RuntimeError(f"A run ended {status}.")


def _rows(up: Up, run_ids: Sequence[str]) -> list[tuple[float, float]]:
    with psycopg.connect(up.database_url) as connection:
        rows = connection.execute(_BY_THE_ROW, [list(run_ids)]).fetchall()
    if len(rows) != len(run_ids):
        raise RuntimeError(f"{len(rows)} of {len(run_ids)} runs are completed.")
    return [(total, wait) for total, wait in rows]
