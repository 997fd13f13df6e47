"""File search from outside: from an uploaded file to a cited sentence."""

from typing import Any

import pytest
from fpdf import FPDF
from openai import AsyncOpenAI

pytestmark = pytest.mark.usefixtures("runs_worker", "ingest_worker")

SEARCH: list[Any] = [{"type": "file_search"}]


def handbook() -> bytes:
    """Two pages, each with one fact."""
    pdf = FPDF()
    for fact in (
        "The lighthouse was built of granite in 1854.",
        "Its lamp burns forty litres of oil a night.",
    ):
        pdf.add_page()
        pdf.set_font("helvetica")
        pdf.multi_cell(0, text=f"{fact} Visitors come by boat.")
    return bytes(pdf.output())


async def test_an_answer_cites_quote_page_and_file(openai: AsyncOpenAI) -> None:
    store = await openai.vector_stores.create(name="lighthouse")
    batch = await openai.vector_stores.file_batches.upload_and_poll(
        store.id, files=[("handbook.pdf", handbook())]
    )
    assert batch.file_counts.completed == 1
    assistant = await openai.beta.assistants.create(
        model="builtin",
        tools=SEARCH,
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )

    run = await openai.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={
            "messages": [{"role": "user", "content": "How much oil burns the lamp?"}]
        },
    )

    assert run.status == "completed", run.last_error
    page = await openai.beta.threads.messages.list(run.thread_id, run_id=run.id)
    part = page.data[0].content[0]
    assert part.type == "text"
    cited = part.text.annotations[0]
    assert cited.type == "file_citation"
    assert part.text.value[cited.start_index : cited.end_index] == cited.text
    found = cited.file_citation.model_dump()
    assert found["quote"] == "Its lamp burns forty litres of oil a night."
    assert (found["filename"], found["page"]) == ("handbook.pdf", 2)
    text = await openai.vector_stores.files.content(
        found["file_id"], vector_store_id=store.id
    )
    read = "".join(piece.text or "" for piece in text.data)
    assert read[found["char_start"] : found["char_end"]] == found["quote"]


async def test_a_file_attached_to_a_message_is_waited_for(openai: AsyncOpenAI) -> None:
    file = await openai.files.create(
        file=("tides.txt", b"High water is at half past six in the morning."),
        purpose="assistants",
    )
    assistant = await openai.beta.assistants.create(model="builtin", tools=SEARCH)
    thread = await openai.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "When is high water?",
                "attachments": [{"file_id": file.id, "tools": SEARCH}],
            }
        ]
    )

    # Asked at once: the file is still being read.
    run = await openai.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id
    )

    assert run.status == "completed", run.last_error
    page = await openai.beta.threads.messages.list(thread.id, run_id=run.id)
    part = page.data[0].content[0]
    assert part.type == "text"
    assert "half past six" in part.text.value
    assert part.text.annotations
