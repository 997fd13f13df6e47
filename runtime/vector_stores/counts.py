"""What a store or a batch adds up to: derived from its files' rows, never stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select

from runtime.db.transaction import Session
from runtime.vector_stores.models import (
    BatchFile,
    FileBatch,
    StoreFile,
    StoreFileStatus,
    VectorStore,
)


@dataclass(slots=True)
class Counts:
    """Files by status, and the bytes that their chunks and vectors take."""

    by_status: dict[StoreFileStatus, int] = field(default_factory=dict)
    usage_bytes: int = 0

    def __getitem__(self, status: StoreFileStatus) -> int:
        return self.by_status.get(status, 0)

    @property
    def total(self) -> int:
        return sum(self.by_status.values())


async def count_files(session: Session, stores: Sequence[VectorStore]) -> list[Counts]:
    """The counts of each of these stores, in one query."""
    pks = [store.pk for store in stores]
    rows = await session.execute(
        select(
            StoreFile.store_pk,
            StoreFile.status,
            func.count(),
            func.sum(StoreFile.usage_bytes),
        )
        .where(StoreFile.store_pk.in_(pks))
        .group_by(StoreFile.store_pk, StoreFile.status)
    )
    return _gather(pks, rows.tuples())


async def count_batch(session: Session, batch: FileBatch) -> Counts:
    """The counts of a batch."""
    rows = await session.execute(
        select(
            BatchFile.batch_pk,
            StoreFile.status,
            func.count(),
            func.sum(StoreFile.usage_bytes),
        )
        .join(StoreFile, StoreFile.pk == BatchFile.store_file_pk)
        .where(BatchFile.batch_pk == batch.pk)
        .group_by(BatchFile.batch_pk, StoreFile.status)
    )
    return _gather([batch.pk], rows.tuples())[0]


def _gather(
    pks: Sequence[int], rows: Iterable[tuple[int, StoreFileStatus, int, int]]
) -> list[Counts]:
    counts = {pk: Counts() for pk in pks}
    for pk, status, number, usage_bytes in rows:
        counts[pk].by_status[status] = number
        counts[pk].usage_bytes += int(usage_bytes)
    return [counts[pk] for pk in pks]
