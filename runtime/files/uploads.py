"""Uploads: a file too large for one request, brought in parts and then put together.

Bytes move with no transaction open. What decides is one short transaction afterwards,
the unit's, that locks the upload's row: of a cancel, an expiry and any number of
completes at once, the first to get there wins, and the bytes of the others are taken
away again.
"""

import re
from collections.abc import AsyncIterable, Sequence
from datetime import timedelta

from sqlalchemy import func, select, update

from runtime.db.transaction import Session, Unit
from runtime.errors import IllegalMove, InvalidRequest, NotFound
from runtime.files.filename import clean_filename
from runtime.files.models import File, Upload, UploadPart, UploadStatus
from runtime.files.parts import check_room, joined, parts_in_order
from runtime.files.service import create_file, likely_media_type, stored_bytes
from runtime.files.storage import BytesMissing, Storage
from runtime.projects.models import Project
from runtime.wire.uploads import UPLOAD_LIFETIME_SECONDS

_MD5 = re.compile(r"[0-9a-fA-F]{32}")


async def create_upload(
    session: Session,
    project: Project,
    *,
    filename: str,
    purpose: str,
    size_bytes: int,
    media_type: str,
    expires_after_seconds: int | None = None,
) -> Upload:
    """Announce a file that comes in parts. It has an hour to arrive.

    Args:
        filename: any; made clean.
        size_bytes: of the whole, at most 8 GB.
        media_type: what the caller says it is; nonsense is replaced by a guess.
        expires_after_seconds: the finished file goes by itself so long after it is made.

    Raises:
        InvalidRequest: the name cannot be used.
    """
    filename = clean_filename(filename, param="filename")
    upload = Upload(
        project_id=project.id,
        filename=filename,
        purpose=purpose,
        media_type=likely_media_type(media_type, filename),
        size_bytes=size_bytes,
        file_expires_after_seconds=expires_after_seconds,
    )
    upload.expires_at = func.now() + timedelta(seconds=UPLOAD_LIFETIME_SECONDS)
    session.add(upload)
    await session.flush()
    await session.refresh(upload, ["expires_at"])
    return upload


async def add_part(
    unit: Unit,
    project: Project,
    storage: Storage,
    upload_id: str,
    blocks: AsyncIterable[bytes],
) -> UploadPart:
    """Keep some bytes of an upload. Parts may come at the same time, in any order.

    More may be added than was announced, so that a part can be sent again: which ones
    make the file is said at the end.

    Raises:
        NotFound: this project has no such upload.
        IllegalMove: the upload has ended.
        InvalidRequest: it has 10,000 parts.
        TooLarge: its parts would hold more than 8 GB.
        Unavailable: storage or database is away.
    """
    async with unit.db.transaction() as session:
        # The answer may change until the bytes are stored; a plain no comes at once.
        await _get_pending(session, project, upload_id)
    stored = await unit.enter(stored_bytes(storage, blocks))
    session = await unit.begin()
    upload = await _get_pending(session, project, upload_id, lock=True)
    await check_room(session, upload, stored.size_bytes)
    part = UploadPart(
        upload_pk=upload.pk, size_bytes=stored.size_bytes, storage_key=stored.key
    )
    session.add(part)
    await session.flush()
    return part


async def complete_upload(
    unit: Unit,
    project: Project,
    storage: Storage,
    upload_id: str,
    *,
    part_ids: Sequence[str],
    md5: str | None = None,
) -> tuple[Upload, File]:
    """Put parts together, in this order: the upload, now completed, and its file.

    The parts' own bytes go afterwards (`parts.remove_parts`).

    Args:
        part_ids: each part once; parts that are not named are left out.
        md5: of the whole, 32 hexadecimal digits; compared if given.

    Raises:
        NotFound: this project has no such upload, or storage has lost a part of it.
        IllegalMove: the upload has ended, perhaps while its parts were being read.
        InvalidRequest: the parts are not what was announced; nothing has changed.
        Unavailable: storage or database is away.
    """
    if md5 is not None and not _MD5.fullmatch(md5):
        raise InvalidRequest(
            "Invalid 'md5': an MD5 is written as 32 hexadecimal digits.", param="md5"
        )
    async with unit.db.transaction() as session:
        upload = await _get_pending(session, project, upload_id)
        parts = await parts_in_order(session, upload, part_ids)
    try:
        stored = await unit.enter(stored_bytes(storage, joined(storage, parts, md5)))
    except BytesMissing as error:
        # Most likely the upload ended meanwhile, and its parts were removed.
        async with unit.db.transaction() as session:
            await _get_pending(session, project, upload_id)
        raise NotFound("content of a part of an upload", upload_id) from error
    session = await unit.begin()
    upload = await _get_pending(session, project, upload_id, lock=True)
    file = await create_file(
        session,
        project,
        stored=stored,
        filename=upload.filename,
        purpose=upload.purpose,
        media_type=upload.media_type,
        expires_after_seconds=upload.file_expires_after_seconds,
    )
    upload.file_pk = file.pk
    upload.status = UploadStatus.COMPLETED
    return upload, file


async def cancel_upload(session: Session, project: Project, upload_id: str) -> Upload:
    """Give an upload up. Its parts' bytes go afterwards (`parts.remove_parts`).

    Raises:
        NotFound: this project has no such upload.
        IllegalMove: the upload has ended.
    """
    upload = await _get_pending(session, project, upload_id, lock=True)
    upload.status = UploadStatus.CANCELLED
    return upload


async def expire_uploads(session: Session, limit: int = 100) -> int:
    """Let pending uploads whose hour is over be `expired`, at most `limit`; how many."""
    over = (
        select(Upload.pk)
        .where(
            Upload.status == UploadStatus.PENDING,
            Upload.expires_at <= func.now(),
        )
        .order_by(Upload.expires_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    pks = list(await session.scalars(over))
    if pks:
        await session.execute(
            update(Upload).where(Upload.pk.in_(pks)).values(status=UploadStatus.EXPIRED)
        )
    return len(pks)


async def _get_pending(
    session: Session, project: Project, upload_id: str, *, lock: bool = False
) -> Upload:
    query = select(Upload, Upload.expires_at <= func.now()).where(
        Upload.project_id == project.id, Upload.id == upload_id
    )
    if lock:
        query = query.with_for_update(key_share=True)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise NotFound("upload", upload_id)
    upload, is_over = found
    status = upload.status
    if status is UploadStatus.PENDING and is_over:
        status = UploadStatus.EXPIRED
    if status is UploadStatus.EXPIRED:
        raise IllegalMove(
            f"Upload '{upload.id}' has expired: an upload has an hour from its creation "
            "to be completed. Please create a new one and add its parts again."
        )
    if status is not UploadStatus.PENDING:
        raise IllegalMove(
            f"Upload '{upload.id}' is already {status} and cannot be changed any more. "
            "Please create a new one."
        )
    return upload
