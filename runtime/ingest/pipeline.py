"""Makes one file searchable: claim → load → parse → chunk → embed → store → count.

Nothing is kept of a half-read file: chunks, vectors, counts and `completed` come in one
transaction, written under the claim. Until then no transaction is open.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select, text

from runtime.db.transaction import Database, Session
from runtime.errors import InvalidRequest, NotFound, Unavailable
from runtime.files.models import ContentState
from runtime.files.storage import BytesMissing, Storage
from runtime.gateway import Gateway
from runtime.ingest import claim as claims
from runtime.ingest.chunk import Chunk, Window, split
from runtime.ingest.claim import ClaimLost, FileClaim
from runtime.ingest.parse.document import Document, ParseLimits
from runtime.ingest.parse.process import parse_file
from runtime.ingest.twin import copy_twin, find_twin
from runtime.ingest.verdict import IngestFailed, judge
from runtime.ingest.write import place_on_pages, write_index
from runtime.vector_stores.models import StoreFile, StoreFileStatus, VectorStore
from runtime.vector_stores.service import set_dimensions
from runtime.vector_stores.statistics import add_statistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = structlog.get_logger()

# The local embedder takes about two seconds for so many, and can be stopped between.
_EMBED_AT_ONCE = 64
# A file of 20 million characters is 15,000 chunks to be indexed.
_WRITE_SECONDS = 120
_LONGEST_WAIT_SECONDS = 600.0


@dataclass(slots=True, kw_only=True)
class Ingest:
    """What ingestion works with, and its limits.

    Attributes:
        owner: names this process in leases and logs.
        lease_seconds: a process silent for so long is given up for dead.
        max_attempts: so often a file is tried before it has failed.
        parse_seconds: the longest that reading one file may take.
        backoff_seconds: before the second try; each further wait is three times the
            last, at most ten minutes.
        stopping: set when the process is to end: no further file is begun.
    """

    db: Database
    gateway: Gateway
    storage: Storage
    owner: str
    lease_seconds: float = 15
    max_attempts: int = 5
    parse_seconds: float = 120
    backoff_seconds: float = 10
    stopping: bool = False


async def ingest_waiting(ingest: Ingest) -> int:
    """Make every waiting file searchable, one after the other; how many were claimed.

    Each ends `completed` or `failed`, or is put off to be tried again. Safe to run in
    many processes at once. Told to stop, it ends with the file at hand.

    Raises:
        DatabaseAway: nothing could be claimed.
    """
    await claims.fail_lost(ingest.db, max_attempts=ingest.max_attempts)
    count = 0
    while not ingest.stopping and (claim := await _take(ingest)):
        await _ingest(ingest, claim)
        count += 1
    return count


async def _take(ingest: Ingest) -> FileClaim | None:
    return await claims.take(
        ingest.db,
        ingest.owner,
        lease_seconds=ingest.lease_seconds,
        max_attempts=ingest.max_attempts,
    )


async def _ingest(ingest: Ingest, claim: FileClaim) -> None:
    row = claim.store_file
    with structlog.contextvars.bound_contextvars(
        file_id=row.file_id, vector_store_id=claim.store.id, attempt=row.attempt
    ):
        try:
            await claim.while_held(_make_searchable(ingest, claim))
        except ClaimLost:
            log.info("file dropped: its claim is lost")
        except asyncio.CancelledError:
            with contextlib.suppress(ClaimLost, Unavailable):
                await claim.give_back()
            raise
        except Exception as error:  # noqa: BLE001 - judged and logged in there
            await _give_up(ingest, claim, error)


async def _make_searchable(ingest: Ingest, claim: FileClaim) -> None:
    _check_model(ingest.gateway, claim.store)
    if await _copy_twin(ingest, claim):
        log.info("file made searchable", copied=True)
        return
    document = await _parse(ingest, claim)
    chunks, windows = await asyncio.to_thread(_split, ingest.gateway, claim, document)
    if not chunks:
        raise IngestFailed("invalid_file", "The file holds no text to search.")
    page_starts = place_on_pages(chunks, document.pages)
    vectors = await _embed(ingest.gateway, windows)
    async with ingest.db.transaction() as session:
        row = await _begin_writing(session, claim, vectors.shape[1])
        row.usage_bytes = await write_index(
            session,
            row,
            chunks=chunks,
            windows=windows,
            vectors=vectors,
            page_starts=page_starts,
        )
        await _complete(session, row)
    log.info("file made searchable", chunks=len(chunks), windows=len(windows))


async def _copy_twin(ingest: Ingest, claim: FileClaim) -> bool:
    async with ingest.db.transaction() as session:
        twin = await find_twin(session, claim.store_file, claim.store)
        if twin is None:
            return False
        row = await _begin_writing(session, claim, twin.dimensions)
        if not await copy_twin(session, row, twin):
            return False
        row.usage_bytes = twin.usage_bytes
        await _complete(session, row)
    return True


async def _begin_writing(
    session: Session, claim: FileClaim, dimensions: int
) -> StoreFile:
    await session.execute(text(f"SET LOCAL statement_timeout = '{_WRITE_SECONDS}s'"))
    # The store's row before the file's, as everybody locks them.
    await _keep_dimensions(session, claim.store, dimensions)
    return await claim.show(session)


async def _complete(session: Session, row: StoreFile) -> None:
    row.status = StoreFileStatus.COMPLETED
    row.completed_at = await session.database_now()
    row.error_code = row.error_message = None
    row.lease_owner = row.lease_expires_at = None
    await session.flush()
    # Last, because other files of this store wait for it.
    await add_statistics(session, row.pk)


def _check_model(gateway: Gateway, store: VectorStore) -> None:
    if store.embedding_model != gateway.embedder.model:
        raise IngestFailed(
            "server_error",
            f"This vector store was made with the embedding model "
            f"'{store.embedding_model}', and the runtime now uses "
            f"'{gateway.embedder.model}'. Put the file into a new vector store.",
        )


async def _parse(ingest: Ingest, claim: FileClaim) -> Document:
    if claim.file.content_state is ContentState.MISSING:
        raise BytesMissing(claim.file.storage_key)
    limits = ParseLimits.within(ingest.parse_seconds)
    async with ingest.storage.local_copy(claim.file.storage_key) as path:
        return await parse_file(path, claim.file.filename, limits)


def _split(
    gateway: Gateway, claim: FileClaim, document: Document
) -> tuple[list[Chunk], list[Window]]:
    return split(
        document,
        tokenizer=gateway.local_embedder.tokenizer,
        max_chunk_size_tokens=claim.store_file.max_chunk_size_tokens,
        chunk_overlap_tokens=claim.store_file.chunk_overlap_tokens,
    )


async def _embed(gateway: Gateway, windows: Sequence[Window]) -> "NDArray[np.float32]":
    import numpy as np

    parts: list[NDArray[np.float32]] = []
    try:
        for first in range(0, len(windows), _EMBED_AT_ONCE):
            batch = windows[first : first + _EMBED_AT_ONCE]
            parts.append(await gateway.embedder.embed([w.text for w in batch]))
    except (InvalidRequest, NotFound) as error:
        # A verdict on what we sent: it would be the same the next time.
        raise IngestFailed(
            "server_error", f"The file's text could not be embedded: {error.message}"
        ) from error
    return np.concatenate(parts)


async def _keep_dimensions(
    session: Session, store: VectorStore, dimensions: int
) -> None:
    await set_dimensions(session, store, dimensions)
    kept = await session.scalar(
        select(VectorStore.embedding_dimensions).where(VectorStore.pk == store.pk)
    )
    if kept is not None and kept != dimensions:
        raise IngestFailed(
            "server_error",
            f"This vector store holds vectors of {kept} dimensions, and the embedding "
            f"model now gives {dimensions}. Put the file into a new vector store.",
        )


async def _give_up(ingest: Ingest, claim: FileClaim, error: Exception) -> None:
    """Fail the file, or put it off to be tried again."""
    verdict, attempt = judge(error), claim.store_file.attempt
    again = verdict.try_again and attempt < ingest.max_attempts
    log.warning(
        "file put off" if again else "file failed",
        code=verdict.code,
        error=type(error).__name__,
        detail=getattr(error, "detail", ""),
        exc_info=verdict.is_ours,
    )
    message = verdict.message
    if verdict.try_again and not again:
        message += f" It was tried {attempt} times."
    try:
        if again:
            wait = min(
                ingest.backoff_seconds * 3 ** (attempt - 1), _LONGEST_WAIT_SECONDS
            )
            await claim.give_back(after_seconds=wait)
        else:
            await claim.fail(verdict.code, message)
    except (ClaimLost, Unavailable):
        pass  # it is another's, or the lease runs out and it becomes another's
