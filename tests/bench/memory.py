"""What the whole stack holds in memory: idle, after a run, after a search."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from openai import AsyncOpenAI

from tests.bench.measure import Share, memory_of
from tests.bench.report import Detail, Report, number
from tests.bench.setting import Setting

_IDLE_MB = 500
_STORES = "postgres", "redis"
_DOCUMENT = "The lighthouse of Eddystone was lit in 1882.\n" * 40


async def measure(setting: Setting) -> Report:
    """Start everything as a user has it, and add up."""
    report = Report(
        "Memory of `assistants up`, with the sandbox",
        floor="Postgres and Redis as they are, and as many bare Python interpreters "
        "as we run.",
    )
    # From a start that found everything: the first one leaves more in caches.
    with setting.up(sandbox=True):
        pass
    with setting.up(sandbox=True) as up:
        await asyncio.sleep(setting.times(15, 3))
        idle = up.memory()
        async with up.client() as client:
            await _run(client)
            after_run = up.memory()
            await _search(client)
            after_search = up.memory()
    stages = [
        ("idle", idle),
        ("after a run", after_run),
        ("after a search", after_search),
    ]
    floor = _floor(idle)
    for name, shares in stages:
        target = _IDLE_MB if name == "idle" else None
        report.add(name, _sum(shares), "MB", floor=floor, target=target)
    report.details.append(_by_program(stages))
    report.notes.append(
        "Proportional set sizes (a page shared by n processes counts 1/n for each), so "
        "whatever else runs the same Python makes them look smaller. The embedder is "
        "let go after five idle minutes; containers come with the first code and are not "
        "counted."
    )
    return report


async def _run(client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="builtin")
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Who are you?"}]},
    )
    if run.status != "completed":
        raise RuntimeError(f"The run ended {run.status}: {run.last_error}")


async def _search(client: AsyncOpenAI) -> None:
    store = await client.vector_stores.create()
    file = await client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("lighthouse.txt", _DOCUMENT.encode())
    )
    if file.status != "completed":
        raise RuntimeError(f"The file ended {file.status}: {file.last_error}")
    await client.vector_stores.search(store.id, query="When was it lit?")


def _floor(shares: Sequence[Share]) -> float:
    stores = sum(share.pss for share in shares if share.name in _STORES)
    ours = sum(share.processes for share in shares if share.name not in _STORES)
    return stores + _bare_interpreters(ours)


def _bare_interpreters(count: int) -> float:
    with ExitStack() as started:
        pids = []
        for _ in range(count):
            process = subprocess.Popen(
                [sys.executable, "-c", "print(flush=True); input()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            started.enter_context(process)
            started.callback(process.kill)
            assert process.stdout is not None  # it is piped
            process.stdout.readline()
            pids.append(process.pid)
        return memory_of("interpreters", pids).pss


def _by_program(stages: Sequence[tuple[str, Sequence[Share]]]) -> Detail:
    columns = ["program", "processes", *(f"MB {name}" for name, _ in stages)]
    columns += [f"private {stages[0][0]}"]
    found = {name: {share.name: share for share in shares} for name, shares in stages}
    rows = []
    for share in stages[0][1]:
        sizes = [of.get(share.name) for of in found.values()]
        rows.append(
            [
                share.name,
                str(share.processes),
                *("" if size is None else number(size.pss) for size in sizes),
                number(share.private),
            ]
        )
    return Detail("By program", columns, rows)


def _sum(shares: Sequence[Share]) -> float:
    return sum(share.pss for share in shares)
