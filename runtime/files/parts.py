"""The parts of an upload: room for one more, their order, their bytes joined."""

import hashlib
from collections.abc import AsyncIterator, Sequence

from sqlalchemy import delete, func, select

from runtime.db.transaction import Database, Session
from runtime.errors import InvalidRequest, TooLarge
from runtime.files.models import Upload, UploadPart, UploadStatus
from runtime.files.storage import Storage
from runtime.wire.uploads import MAX_UPLOAD_BYTES

# Ours, not the API's: 8 GB in parts of under a megabyte. All parts of an upload are
# read at once when it is completed.
MAX_PARTS = 10_000

_GIGABYTE = 1024**3


async def check_room(session: Session, upload: Upload, size_bytes: int) -> None:
    """See to it that a locked upload may have one part more, of this size.

    Raises:
        InvalidRequest: it has 10,000 parts.
        TooLarge: its parts would hold more than 8 GB.
    """
    counted = await session.execute(
        select(func.count(), func.sum(UploadPart.size_bytes)).where(
            UploadPart.upload_pk == upload.pk
        )
    )
    count, total_bytes = counted.one()
    if count >= MAX_PARTS:
        raise InvalidRequest(
            f"Upload '{upload.id}' has {MAX_PARTS:,} parts, the most it may have. "
            "Please send larger parts.",
            param="data",
        )
    if (total_bytes or 0) + size_bytes > MAX_UPLOAD_BYTES:
        raise TooLarge(
            f"With this part, upload '{upload.id}' would hold more than "
            f"{MAX_UPLOAD_BYTES // _GIGABYTE} GB, the limit of an upload.",
            param="data",
        )


async def parts_in_order(
    session: Session, upload: Upload, part_ids: Sequence[str]
) -> list[UploadPart]:
    """The parts of these ids, which together are what the upload was announced to be.

    Raises:
        InvalidRequest: an id is unknown or named twice, or the sizes do not add up.
    """
    rows = await session.scalars(
        select(UploadPart).where(UploadPart.upload_pk == upload.pk)
    )
    known = {part.id: part for part in rows}
    used: dict[str, UploadPart] = {}
    for place, part_id in enumerate(part_ids):
        if part_id not in known:
            raise InvalidRequest(
                f"Upload '{upload.id}' has no part with id '{part_id[:128]}'.",
                param=f"part_ids[{place}]",
            )
        if part_id in used:
            raise InvalidRequest(
                f"Part '{part_id}' is named twice; name each part once, in the order "
                "in which they make the file.",
                param=f"part_ids[{place}]",
            )
        used[part_id] = known[part_id]
    parts = list(used.values())
    _check_size(upload, parts)
    return parts


async def joined(
    storage: Storage, parts: Sequence[UploadPart], md5: str | None
) -> AsyncIterator[bytes]:
    """The parts' bytes, one after the other.

    Args:
        md5: of the whole, in hexadecimal. A wrong one is said where the bytes end, so
            that storage, which is reading, keeps none of them.

    Raises:
        InvalidRequest: the MD5 is another.
        BytesMissing: a part's bytes are gone.
        Unavailable: storage did not answer.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        async for block in await storage.open(part.storage_key):
            digest.update(block)
            yield block
    if md5 is not None and digest.hexdigest() != md5.lower():
        raise InvalidRequest(
            f"The parts in this order have the MD5 {digest.hexdigest()}, not "
            f"{md5.lower()}. Check their order, or send the damaged part again.",
            param="md5",
        )


async def remove_parts(db: Database, storage: Storage, limit: int = 200) -> int:
    """Delete the parts of uploads that have ended, bytes and rows, at most `limit`.

    Called after an upload has ended and by the sweeper, which finds what was left
    behind. Twice at once does no harm.

    Returns:
        How many parts there were.

    Raises:
        Unavailable: storage or database is away.
    """
    async with db.transaction() as session:
        waiting = (
            await session.execute(
                select(UploadPart.pk, UploadPart.storage_key)
                .join(Upload, Upload.pk == UploadPart.upload_pk)
                .where(Upload.status != UploadStatus.PENDING)
                .limit(limit)
            )
        ).all()
    for _, key in waiting:
        await storage.delete(key)
    if waiting:
        async with db.transaction() as session:
            await session.execute(
                delete(UploadPart).where(UploadPart.pk.in_([pk for pk, _ in waiting]))
            )
    return len(waiting)


def _check_size(upload: Upload, parts: Sequence[UploadPart]) -> None:
    size_bytes = sum(part.size_bytes for part in parts)
    if size_bytes != upload.size_bytes:
        raise InvalidRequest(
            f"The {len(parts)} parts named hold {size_bytes} bytes, but upload "
            f"'{upload.id}' was created for {upload.size_bytes}. Name all its parts, or "
            "add those that are missing.",
            param="part_ids",
        )
