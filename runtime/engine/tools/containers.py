"""The container of a thread, as rows know it: which files it is to hold, and holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from runtime.db.transaction import Session
from runtime.files.models import File
from runtime.runs.models import Container, Run
from runtime.threads.models import Thread
from sandbox import safe_name


@dataclass(frozen=True, slots=True)
class Desk:
    """A thread's container, and the files that belong into its `/mnt/data` by name."""

    container: Container
    files: dict[str, File]


async def desk_of(session: Session, run: Run) -> Desk:
    """The container of a run's thread; its row is made when it is first asked for."""
    await session.execute(
        insert(Container)
        .values(project_id=run.project_id, thread_pk=run.thread_pk)
        .on_conflict_do_nothing()
    )
    container = await session.scalar(
        select(Container).where(
            Container.thread_pk == run.thread_pk, Container.deleted_at.is_(None)
        )
    )
    assert container is not None  # inserted above, if not there before
    return Desk(container, await files_of(session, run))


async def files_of(session: Session, run: Run) -> dict[str, File]:
    """What is to lie in `/mnt/data`: files of thread and assistant, and written ones.

    A written file stands in for an attached one of its name: code has changed it.
    """
    thread = await session.get_one(Thread, run.thread_pk)
    attached = [
        file_id
        for resources in (run.tool_resources, thread.tool_resources)
        for file_id in resources.get("code_interpreter", {}).get("file_ids", ())
    ]
    written = await written_of(session, run)
    query = select(File).where(
        File.project_id == run.project_id,
        File.id.in_([*attached, *written.values()]),
        File.deleted_at.is_(None),
    )
    found = {file.id: file for file in await session.scalars(query)}
    files: dict[str, File] = {}
    for file_id in dict.fromkeys(attached):
        if file_id in found:
            files[_free_name(found[file_id].filename, files)] = found[file_id]
    for name, file_id in written.items():
        if file_id in found:
            files[name] = found[file_id]
    return files


async def written_of(session: Session, run: Run) -> dict[str, str]:
    """Name → file id, of what code of this run's thread has written."""
    written = await session.scalar(
        select(Container.written).where(
            Container.thread_pk == run.thread_pk, Container.deleted_at.is_(None)
        )
    )
    return written or {}


async def note_files(
    session: Session, container: Container, epoch: str, **files: dict[str, Any]
) -> None:
    """Write down what a container holds now; of another epoch, all is new.

    Args:
        files: `held` and `written`, name → file id, to be added.
    """
    row = await session.get_one(Container, container.pk, with_for_update=True)
    held = row.held if row.epoch == epoch else {}
    row.epoch = epoch
    row.held = {**held, **files.get("held", {})}
    row.written = {**row.written, **files.get("written", {})}
    row.last_used_at = await session.scalar(select(func.now())) or row.last_used_at


async def forget_files(
    session: Session, container: Container, names: Sequence[str]
) -> None:
    """Code has deleted these: they are not put back into the next container.

    An attached file comes back all the same: it is the caller's, not the code's.
    """
    if names:
        row = await session.get_one(Container, container.pk, with_for_update=True)
        row.written = {n: f for n, f in row.written.items() if n not in names}
        row.held = {n: f for n, f in row.held.items() if n not in names}


def _free_name(filename: str, taken: dict[str, File]) -> str:
    """The file's own name made safe, or, when another has it, `name-2.ext` and so on."""
    name = safe_name(filename)
    path = PurePosixPath(name)
    number = 2
    while name in taken:
        name = f"{path.stem}-{number}{path.suffix}"
        number += 1
    return name
