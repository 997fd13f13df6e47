"""Files: store, find, list, delete. Bytes come before their row and go after it.

A file is deleted through `vector_stores.removal`, which also takes it out of the stores
that hold it: stores know files, files know nothing of stores.
"""

import contextlib
import mimetypes
import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import ColumnElement, func, select, update

from runtime.db.paging import Cursor, Page, fetch_page
from runtime.db.transaction import Database, DatabaseAway, Session, Unit
from runtime.errors import NotFound, Unavailable
from runtime.files.filename import clean_filename
from runtime.files.models import ContentState, File
from runtime.files.storage import BytesMissing, Storage, StoredBytes, new_key
from runtime.projects.models import Project

log = structlog.get_logger()

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")
_UNKNOWN_MEDIA_TYPE = "application/octet-stream"


def is_live() -> ColumnElement[bool]:
    """A condition: the file is neither deleted nor past its time."""
    return File.deleted_at.is_(None) & (
        File.expires_at.is_(None) | (File.expires_at > func.now())
    )


@contextlib.asynccontextmanager
async def stored_bytes(
    storage: Storage, blocks: AsyncIterable[bytes]
) -> AsyncIterator[StoredBytes]:
    """Bytes put into storage, for a row that the block commits.

    They are taken away again when the block fails. Open no transaction around it.

    Raises:
        Unavailable: storage did not take them.
    """
    key = new_key()
    size_bytes, sha256 = await storage.put(key, blocks)
    try:
        yield StoredBytes(key, size_bytes, sha256)
    except DatabaseAway:
        # The commit may have happened. Bytes without a row cost room; a row without
        # bytes costs the caller their file.
        raise
    except BaseException:
        with contextlib.suppress(Unavailable):
            await storage.delete(key)
        raise


async def create_file(
    session: Session,
    project: Project,
    *,
    stored: StoredBytes,
    filename: str,
    purpose: str,
    media_type: str | None = None,
    expires_after_seconds: int | None = None,
) -> File:
    """The row of bytes that are in storage (see `stored_bytes`).

    Args:
        filename: any; made clean.
        media_type: what the caller says it is; else guessed from the name.
        expires_after_seconds: the file goes by itself so long after now.

    Raises:
        InvalidRequest: the name cannot be used.
    """
    filename = clean_filename(filename)
    file = File(
        project_id=project.id,
        filename=filename,
        purpose=purpose,
        media_type=likely_media_type(media_type, filename),
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        storage_key=stored.key,
    )
    if expires_after_seconds is not None:
        file.expires_at = func.now() + timedelta(seconds=expires_after_seconds)
    session.add(file)
    await session.flush()
    if expires_after_seconds is not None:
        await session.refresh(file, ["expires_at"])
    return file


async def store_file(
    unit: Unit,
    project: Project,
    storage: Storage,
    *,
    filename: str,
    purpose: str,
    blocks: AsyncIterable[bytes],
    media_type: str | None = None,
    expires_after_seconds: int | None = None,
) -> File:
    """Bytes and row in one go; the unit's transaction begins only after the last byte.

    Raises:
        InvalidRequest: the name cannot be used.
        Unavailable: storage or database is away.
    """
    filename = clean_filename(filename)
    stored = await unit.enter(stored_bytes(storage, blocks))
    return await create_file(
        await unit.begin(),
        project,
        stored=stored,
        filename=filename,
        purpose=purpose,
        media_type=media_type,
        expires_after_seconds=expires_after_seconds,
    )


async def get_file(session: Session, project: Project, file_id: str) -> File:
    """A file of this project.

    Raises:
        NotFound: there is none.
    """
    file = await session.scalar(
        select(File).where(File.project_id == project.id, File.id == file_id, is_live())
    )
    if file is None:
        raise NotFound("file", file_id)
    return file


async def files_of_ids(
    session: Session,
    project: Project,
    file_ids: Sequence[str],
    *,
    param: str | Sequence[str] | None = None,
    lock: bool = False,
) -> list[File]:
    """The files of these ids, each once, in the order in which they are first named.

    Args:
        param: the request's field that named them, or the fields that named each of
            them, for the error.
        lock: keep them from being deleted until this transaction ends.

    Raises:
        NotFound: one of them is not in this project.
    """
    wanted = list(dict.fromkeys(file_ids))
    if not wanted:
        return []
    query = select(File).where(
        File.project_id == project.id, File.id.in_(wanted), is_live()
    )
    if lock:
        query = query.with_for_update(read=True)
    found = {file.id: file for file in await session.scalars(query)}
    for place, file_id in enumerate(file_ids):
        if file_id not in found:
            named = param if isinstance(param, str | None) else param[place]
            raise NotFound("file", file_id, param=named)
    return [found[file_id] for file_id in wanted]


async def list_files(
    session: Session, project: Project, cursor: Cursor, purpose: str | None = None
) -> Page[File]:
    """A page of this project's files, perhaps of one purpose only.

    Raises:
        InvalidRequest: the cursor is not in the list.
    """
    ever = select(File).where(File.project_id == project.id)
    if purpose is not None:
        ever = ever.where(File.purpose == purpose)
    return await fetch_page(
        session,
        ever.where(is_live()),
        cursor,
        id=File.id,
        key=File.pk,
        places=ever,
    )


async def open_content(storage: Storage, file: File) -> AsyncIterator[bytes]:
    """A file's bytes, in blocks. Call it with no transaction open.

    Raises:
        NotFound: the row is there, its bytes are not.
        Unavailable: storage did not answer.
    """
    try:
        if file.content_state is ContentState.MISSING:
            raise BytesMissing(file.id)
        return await storage.open(file.storage_key)
    except BytesMissing as error:
        log.warning("bytes missing", file_id=file.id)
        raise NotFound("content of a file", file.id) from error


async def remove_bytes(db: Database, storage: Storage, limit: int = 100) -> int:
    """Delete the bytes of deleted files, at most `limit`; the number removed.

    Called after a deletion and by the sweeper, which finds what was left behind. Twice
    at once does no harm.

    Raises:
        Unavailable: storage or database is away.
    """
    async with db.transaction() as session:
        waiting = (
            await session.execute(
                select(File.pk, File.storage_key)
                .where(
                    File.deleted_at.is_not(None),
                    File.content_state == ContentState.PRESENT,
                )
                .limit(limit)
            )
        ).all()
    for _, key in waiting:
        await storage.delete(key)
    if waiting:
        async with db.transaction() as session:
            await session.execute(
                update(File)
                .where(File.pk.in_([pk for pk, _ in waiting]))
                .values(content_state=ContentState.MISSING)
            )
    return len(waiting)


def likely_media_type(given: str | None, filename: str) -> str:
    """The media type of a file: what the caller says if it is one, else a guess."""
    essence = (given or "").partition(";")[0].strip().lower()
    # The SDK says octet-stream of whatever it cannot guess; we may do better.
    if _MEDIA_TYPE.fullmatch(essence) and essence != _UNKNOWN_MEDIA_TYPE:
        return essence
    return mimetypes.guess_type(filename)[0] or _UNKNOWN_MEDIA_TYPE
