"""`code_interpreter`: files in, code through the sandbox, logs, pictures and files out.

Before code is sent, its call says on its row in which container it will run. So after
a crash it can be told: this container knows the call and answers from its journal, or
never got it and runs it now; another container cannot know, and then nothing is repeated.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from runtime.db.transaction import Session
from runtime.engine.tools.call import Call
from runtime.engine.tools.containers import (
    Desk,
    desk_of,
    forget_files,
    note_files,
)
from runtime.errors import InvalidRequest, NotFound
from runtime.files.models import File
from runtime.files.service import open_content, store_file
from runtime.runs.models import Run
from sandbox import FileRefused, Outcome, SandboxClient, SandboxError, SessionLost

_PURPOSE = "assistants_output"
_INTERRUPT_SECONDS = 5
_OFF = (
    "code_interpreter is switched off on this server (ASSISTANTS_SANDBOX=off); "
    "no code was run."
)
_UNKNOWN = (
    "The sandbox was lost while this code was with it. It cannot be known whether it "
    "ran, so it was not run again; variables are lost, files are put back."
)
_ANEW = "[The sandbox was started anew: variables are lost, files are put back.]"


@dataclass(slots=True)
class _Kept:
    """What came out of a call, as files of the project, and what did not, in words."""

    images: list[File] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


async def run_code(call: Call) -> None:
    """Answer one call with what its code printed, drew and wrote.

    A Python error, a time-out or too much memory is an output, not a failure.
    """
    code = call.item.body.get("code")
    sandbox = call.engine.sandbox
    if code is None:
        await _answer_badly(call, 'Expected the arguments {"code": string}.')
        return
    if sandbox is None:
        await _answer_badly(call, _OFF)
        return
    try:
        await _run(call, sandbox, code)
    except SessionLost:
        await _answer_badly(call, _UNKNOWN)
    except SandboxError as error:
        await _answer_badly(call, str(error))


async def _run(call: Call, sandbox: SandboxClient, code: str) -> None:
    async with call.engine.db.transaction() as session:
        desk = await desk_of(session, call.run)
    container_id = desk.container.id
    state = await sandbox.open(container_id)
    first_time = await call.record.note_epoch(call.item, state.epoch)
    if not first_time and call.item.body["epoch"] != state.epoch:
        raise SessionLost("the code was sent to another container")
    notes = await _put_files(call, sandbox, desk, state.epoch)
    try:
        outcome = await sandbox.execute(
            container_id,
            call.call_id,
            code,
            epoch=state.epoch,
            timeout_seconds=call.engine.times.code_seconds,
        )
    except asyncio.CancelledError:
        if call.run_is_over():
            await _interrupt(sandbox, container_id, call.call_id)
        raise
    kept = await _keep(call, sandbox, desk, state.epoch, outcome)
    kept.notes = notes + kept.notes
    await _answer(call, desk, state.epoch, outcome, kept)


async def _interrupt(sandbox: SandboxClient, container_id: str, call_id: str) -> None:
    """Stop code that nobody waits for any more; a container's own limit is behind it."""
    with contextlib.suppress(SandboxError, TimeoutError):
        async with asyncio.timeout(_INTERRUPT_SECONDS):
            await sandbox.interrupt(container_id, call_id)


async def _put_files(
    call: Call, sandbox: SandboxClient, desk: Desk, epoch: str
) -> list[str]:
    """Put what the container lacks; in words, what could not be put.

    One file that does not fit must not keep a thread from running code ever again.
    """
    container = desk.container
    held = container.held if container.epoch == epoch else {}
    put, notes = {}, []
    if container.epoch not in (None, epoch):
        notes.append(_ANEW)
    for name, file in desk.files.items():
        if held.get(name) == file.id:
            continue
        try:
            content = await open_content(call.engine.storage, file)
        except NotFound:
            continue  # deleted meanwhile: the code will say that it is not there
        try:
            await sandbox.put(container.id, epoch, name, content)
            put[name] = file.id
        except FileRefused as error:
            notes.append(f"[{name} could not be put into /mnt/data: {error}]")
    if put or container.epoch != epoch:
        async with call.engine.db.transaction() as session:
            await note_files(session, container, epoch, held=put)
    return notes


async def _keep(
    call: Call, sandbox: SandboxClient, desk: Desk, epoch: str, outcome: Outcome
) -> _Kept:
    kept = _Kept()
    for number, image in enumerate(outcome.images, 1):
        kept.images.append(await _store(call, f"image-{number}.png", _once(image.data)))
    for produced in outcome.files:
        blocks = sandbox.read(desk.container.id, epoch, produced.name)
        try:
            kept.files[produced.name] = await _store(call, produced.name, blocks)
        except (SandboxError, InvalidRequest) as error:
            # What the code printed and drew is not lost for one file.
            kept.notes.append(f"[{produced.name} could not be kept: {error}]")
    return kept


async def _store(call: Call, name: str, blocks: AsyncIterator[bytes]) -> File:
    async with call.engine.db.unit() as unit:
        return await store_file(
            unit,
            call.project,
            call.engine.storage,
            filename=name,
            purpose=_PURPOSE,
            blocks=blocks,
        )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _answer(
    call: Call, desk: Desk, epoch: str, outcome: Outcome, kept: _Kept
) -> None:
    logs = "\n".join([*kept.notes, outcome.logs] if outcome.logs else kept.notes)
    outputs: list[dict[str, Any]] = [{"type": "logs", "logs": logs}] if logs else []
    outputs += [
        {"type": "image", "image": {"file_id": file.id}} for file in kept.images
    ]
    told = [{"index": index, **output} for index, output in enumerate(outputs)]
    call.tell("code_interpreter", {"outputs": told})
    lines = [logs] if logs else []
    lines += [f"sandbox:/mnt/data/{name}" for name in kept.files]
    lines += [f"[image {number}]" for number, _ in enumerate(kept.images, 1)]
    text = "\n".join(lines) or "[no output]"
    written = {name: file.id for name, file in kept.files.items()}

    async def note(session: Session, run: Run) -> None:
        await note_files(session, desk.container, epoch, held=written, written=written)
        await forget_files(session, desk.container, outcome.gone)

    await call.record.answer(
        call.item, {"text": text, "outputs": outputs, "files": written}, also=note
    )


async def _answer_badly(call: Call, why: str) -> None:
    outputs = [{"type": "logs", "logs": why}]
    call.tell("code_interpreter", {"outputs": [{"index": 0, **outputs[0]}]})
    await call.record.answer(call.item, {"text": why, "outputs": outputs}, failed=True)
