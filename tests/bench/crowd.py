"""A hundred runs in flight at once, each waiting for a slow model."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from openai import AsyncOpenAI

from tests.bench.children import model_server
from tests.bench.measure import median, percentile
from tests.bench.report import Report
from tests.bench.setting import Setting
from tests.bench.up import Up
from tests.support.turns import says

T = TypeVar("T")

_RUNS = 100
_WORDS = 18
_BETWEEN_WORDS_SECONDS = 0.1
_TEXT = " ".join(f"word{number}" for number in range(_WORDS))
_WATCH_SECONDS = 0.05
_LONGEST_SECONDS = 120

_BY_THE_ROW = """
    SELECT count(*), extract(epoch FROM max(ended_at) - min(created_at))::float
    FROM runs WHERE id = ANY(%s) AND status = 'completed'
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One streamed answer as its client saw it, in seconds since the request."""

    text: str
    first_token: float
    completed: float


async def measure(setting: Setting) -> Report:
    """The same answers straight from the model, by runs nobody watches, and streamed."""
    report = Report(
        f"{_RUNS} runs in flight at once; the model takes 2 s for each answer",
        floor="the same answers, streamed straight from the model by the same client.",
    )
    with (
        model_server(setting.scratch) as server,
        setting.up(upstream_url=server.base_url) as up,
    ):
        turn = says(_TEXT, chunk_delay_seconds=_BETWEEN_WORDS_SECONDS)
        models = [server.script(turn) for _ in range(3)]
        async with AsyncOpenAI(
            base_url=server.base_url, api_key="-", timeout=_LONGEST_SECONDS
        ) as client:
            direct, floor = await _timed(_direct(client, models[0]))
        async with up.client() as client:
            alone, unwatched = await _unwatched(up, client, models[1])
            answers, streamed = await _streamed(client, models[2])
        most_open = [server.asked(model)["most_open"] for model in models[1:]]
    whole = sum(answer.text == _TEXT for answer in answers)
    first_floor = [answer.first_token for answer in direct]
    _add(report, "completed, nobody watching", alone, _RUNS)
    _add(report, "whole answers received, streamed", whole, _RUNS)
    _add(report, "most in flight, nobody watching", most_open[0], _RUNS)
    _add(report, "most in flight, streamed", most_open[1], _RUNS)
    report.add("all done, nobody watching (by the rows)", unwatched, "s", floor=floor)
    report.add("all done, streamed", streamed, "s", floor=floor)
    firsts = [answer.first_token for answer in answers]
    for percent in (50, 95):
        report.add(
            f"streamed: POST → first token, p{percent}",
            percentile(firsts, percent) * 1000,
            "ms",
            floor=percentile(first_floor, percent) * 1000,
        )
    report.add(
        "streamed: POST → completed, p50",
        median([answer.completed for answer in answers]),
        "s",
        floor=median([answer.completed for answer in direct]),
    )
    return report


def _add(report: Report, what: str, count: int, target: int) -> None:
    report.add(what, count, "", target=target, more_is_better=True)


async def _direct(client: AsyncOpenAI, model: str) -> list[Answer]:
    async def one() -> Answer:
        began, first, text = time.perf_counter(), 0.0, ""
        async for chunk in await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Go on."}], stream=True
        ):
            piece = chunk.choices[0].delta.content if chunk.choices else None
            if piece:
                first = first or time.perf_counter() - began
                text += piece
        return Answer(text, first, time.perf_counter() - began)

    return await asyncio.gather(*(one() for _ in range(_RUNS)))


async def _unwatched(up: Up, client: AsyncOpenAI, model: str) -> tuple[int, float]:
    """How many were completed, and the seconds from the first row to the last end."""
    assistant = await client.beta.assistants.create(model=model)
    thread_ids = await _threads(client)
    runs = await asyncio.gather(
        *(
            client.beta.threads.runs.create(thread_id, assistant_id=assistant.id)
            for thread_id in thread_ids
        )
    )
    run_ids = [run.id for run in runs]
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        count, seconds = await asyncio.to_thread(_rows, up, run_ids)
        if count == _RUNS or time.monotonic() > deadline:
            return count, seconds
        await asyncio.sleep(_WATCH_SECONDS)


def _rows(up: Up, run_ids: Sequence[str]) -> tuple[int, float]:
    with psycopg.connect(up.database_url) as connection:
        row = connection.execute(_BY_THE_ROW, [list(run_ids)]).fetchone()
    assert row is not None  # an aggregate is one row
    return row[0], row[1] or 0.0


async def _streamed(client: AsyncOpenAI, model: str) -> tuple[list[Answer], float]:
    assistant = await client.beta.assistants.create(model=model)
    thread_ids = await _threads(client)

    async def one(thread_id: str) -> Answer:
        began, first, text = time.perf_counter(), 0.0, ""
        async for event in await client.beta.threads.runs.create(
            thread_id, assistant_id=assistant.id, stream=True
        ):
            if event.event == "thread.message.delta":
                first = first or time.perf_counter() - began
                for part in event.data.delta.content or ():
                    if part.type == "text" and part.text is not None:
                        text += part.text.value or ""
        return Answer(text, first, time.perf_counter() - began)

    return await _timed(asyncio.gather(*(one(thread_id) for thread_id in thread_ids)))


async def _timed(work: Awaitable[T]) -> tuple[T, float]:
    began = time.perf_counter()
    return await work, time.perf_counter() - began


async def _threads(client: AsyncOpenAI) -> list[str]:
    one_at_a_time = [
        await client.beta.threads.create(
            messages=[{"role": "user", "content": "Go on."}]
        )
        for _ in range(_RUNS)
    ]
    return [thread.id for thread in one_at_a_time]
