"""The code interpreter from outside: files in, logs, pictures and files out."""

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.beta.threads import Message
from sqlalchemy import select

from runtime.db.transaction import Database
from runtime.runs.models import Container
from runtime.threads.models import Thread
from sandbox import SandboxClient
from tests.support.stack import Stack

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("runs_worker", "sandbox"),
    pytest.mark.xdist_group("sandbox"),
]

CODE: list[Any] = [{"type": "code_interpreter"}]


async def run_code(
    openai: AsyncOpenAI, thread_id: str, code: str, **assistant: Any
) -> Message:
    """Run code on a thread by the built-in model; what it answers."""
    made = await openai.beta.assistants.create(model="builtin", tools=CODE, **assistant)
    await openai.beta.threads.messages.create(
        thread_id, role="user", content=f"```python\n{code}\n```"
    )
    run = await openai.beta.threads.runs.create_and_poll(
        thread_id=thread_id, assistant_id=made.id
    )
    assert run.status == "completed", run.last_error
    messages = await openai.beta.threads.messages.list(thread_id, run_id=run.id)
    return messages.data[0]


def text_of(message: Message) -> str:
    part = message.content[-1]
    assert part.type == "text"
    return part.text.value


async def test_a_table_becomes_a_chart_and_a_file(openai: AsyncOpenAI) -> None:
    table = await openai.files.create(
        file=("boats.csv", b"boat,crew\nAda,3\nBea,5\n"), purpose="assistants"
    )
    thread = await openai.beta.threads.create(
        tool_resources={"code_interpreter": {"file_ids": [table.id]}}
    )

    message = await run_code(
        openai,
        thread.id,
        "import pandas, matplotlib.pyplot as plt\n"
        "boats = pandas.read_csv('/mnt/data/boats.csv')\n"
        "print(boats.crew.sum())\n"
        "boats.plot.bar(x='boat'); plt.show()\n"
        "open('/mnt/data/note.txt', 'w').write('eight')",
    )

    picture, _ = message.content
    assert picture.type == "image_file"
    png = await openai.files.content(picture.image_file.file_id)
    assert png.content.startswith(b"\x89PNG")
    assert "8" in text_of(message)
    part = message.content[-1]
    assert part.type == "text"
    (link,) = part.text.annotations
    assert link.type == "file_path"
    assert part.text.value[link.start_index : link.end_index] == link.text
    written = await openai.files.content(link.file_path.file_id)
    assert written.content == b"eight"


async def test_variables_last_and_files_outlive_their_container(
    openai: AsyncOpenAI, db: Database, stack: Stack
) -> None:
    thread = await openai.beta.threads.create()
    await run_code(
        openai,
        thread.id,
        "import os; n = 41; os.makedirs('/mnt/data/out', exist_ok=True)\n"
        "open('/mnt/data/out/n.txt', 'w').write('kept')\n"
        "open('/mnt/data/gone.txt', 'w').write('not kept')",
    )
    removed = "import os; os.remove('/mnt/data/gone.txt'); n + 1"
    assert "42" in text_of(await run_code(openai, thread.id, removed))

    async with db.transaction() as session:
        container_id = await session.scalar(
            select(Container.id)
            .join(Thread, Thread.pk == Container.thread_pk)
            .where(Thread.id == thread.id)
        )
    assert container_id is not None
    await SandboxClient(*stack.sandbox_address()).end(container_id)
    answer = text_of(
        await run_code(
            openai,
            thread.id,
            "import os; print(open('/mnt/data/out/n.txt').read())\n"
            "print(os.listdir('/mnt/data')); n",
        )
    )

    assert "variables are lost" in answer
    assert "kept" in answer
    assert "gone.txt" not in answer
    assert "NameError" in answer


async def test_a_file_that_cannot_be_kept_costs_nothing_else(
    openai: AsyncOpenAI,
) -> None:
    thread = await openai.beta.threads.create()

    message = await run_code(
        openai,
        thread.id,
        "import os\nprint('important result')\n"
        "open('/mnt/data/shut.txt', 'w').write('x'); os.chmod('/mnt/data/shut.txt', 0)\n"
        "open('/mnt/data/ ', 'w').write('x')\n"
        "open('/mnt/data/fine.txt', 'w').write('fine')",
    )

    assert "important result" in text_of(message)
    assert "sandbox:/mnt/data/fine.txt" in text_of(message)


async def test_a_cancelled_run_stops_its_code(openai: AsyncOpenAI) -> None:
    assistant = await openai.beta.assistants.create(model="builtin", tools=CODE)
    thread = await openai.beta.threads.create(
        messages=[{"role": "user", "content": "/python while True: pass"}]
    )
    run = await openai.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    for _ in range(400):
        steps = await openai.beta.threads.runs.steps.list(run.id, thread_id=thread.id)
        if steps.data:
            break
        await asyncio.sleep(0.05)

    await openai.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    async with asyncio.timeout(20):
        run = await openai.beta.threads.runs.poll(run.id, thread_id=thread.id)

    assert run.status == "cancelled"
    # The thread is free, and so is its container.
    assert "2" in text_of(await run_code(openai, thread.id, "1 + 1"))
