"""One of everything: what a request to any operation may name."""

from typing import Any

import httpx2
from sqlalchemy import insert

from runtime.clock import now
from runtime.ids import new_id
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus, StepType
from runtime.threads.models import Item, ItemStatus, ItemType, Thread
from runtime.vector_stores.models import BatchFile, FileBatch
from tests.support.make import Make

World = dict[str, str]


async def make_world(make: Make, api: httpx2.AsyncClient) -> World:
    """Rows of every kind in one project; their ids, by the names they go by."""
    file, other_file = await make.file(), await make.file("Other notes.")
    picture = await make.file(b"\x89PNG", filename="a.png", purpose="vision")
    assistant = await make.assistant()
    thread, waiting_thread = await make.thread(), await make.thread()
    run = await make.run(thread, assistant=assistant, status=RunStatus.COMPLETED)
    message = await make.message(thread, run_id=run.id)
    waiting = await make.run(
        waiting_thread, assistant=assistant, status=RunStatus.REQUIRES_ACTION
    )
    step = await add_step(make, run, StepType.MESSAGE_CREATION)
    call = await add_call(make, waiting, waiting_thread, answered=False)
    world = {
        "file": file.id,
        "other_file": other_file.id,
        "picture": picture.id,
        "assistant": assistant.id,
        "thread": thread.id,
        "message": message.id,
        "run": run.id,
        "step": step.id,
        "waiting_thread": waiting_thread.id,
        "waiting_run": waiting.id,
        "call": call,
    }
    return {
        **world,
        **await _make_stored(make, file),
        **await _make_upload(api),
    }


async def _make_stored(make: Make, file: Any) -> World:
    store = await make.store()
    stored = await make.store_file(
        store, "The moon is made of basalt.", file=file, attributes={"kind": "boat"}
    )
    async with make.db.transaction() as session:
        batch = FileBatch(project_id=store.project_id, store_pk=store.pk)
        session.add(batch)
        await session.flush()
        await session.execute(
            insert(BatchFile).values(batch_pk=batch.pk, store_file_pk=stored.pk)
        )
    return {"store": store.id, "batch": batch.id}


async def _make_upload(api: httpx2.AsyncClient) -> World:
    announced = {
        "filename": "notes.txt",
        "purpose": "assistants",
        "bytes": 5,
        "mime_type": "text/plain",
    }
    upload = (await api.post("/uploads", json=announced)).json()["id"]
    part = await api.post(f"/uploads/{upload}/parts", files={"data": b"Notes"})
    return {"upload": upload, "part": part.json()["id"]}


async def add_step(
    make: Make,
    run: Run,
    type: StepType,
    status: StepStatus = StepStatus.COMPLETED,
    **fields: Any,
) -> RunStep:
    """The first step of a run."""
    step = RunStep(
        project_id=run.project_id,
        id=new_id("step"),
        run_pk=run.pk,
        idx=0,
        turn=0,
        type=type,
        status=status,
        ended_at=None if status is StepStatus.IN_PROGRESS else now(),
        **fields,
    )
    async with make.db.transaction() as session:
        session.add(step)
    return step


async def add_call(make: Make, run: Run, thread: Thread, *, answered: bool) -> str:
    """A step of a run in which a function is called; the call's id."""
    status = StepStatus.COMPLETED if answered else StepStatus.IN_PROGRESS
    step = await add_step(make, run, StepType.TOOL_CALLS, status)
    call_id = new_id("call")
    item = Item(
        project_id=run.project_id,
        id=new_id("item"),
        thread_pk=thread.pk,
        run_pk=run.pk,
        run_id=run.id,
        step_pk=step.pk,
        turn=0,
        type=ItemType.FUNCTION_CALL,
        status=ItemStatus.COMPLETED if answered else ItemStatus.IN_PROGRESS,
        call_id=call_id,
        name="add",
        body={"arguments": '{"a": 1}'},
        output={"text": "2"} if answered else None,
    )
    async with make.db.transaction() as session:
        session.add(item)
    return call_id
