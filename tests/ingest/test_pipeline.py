"""From a stored file to rows that can be searched: whole, or not at all."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from runtime.clock import now
from runtime.db.transaction import Database
from runtime.files.models import ContentState, File
from runtime.files.storage import Storage
from runtime.ingest.pipeline import Ingest, ingest_waiting
from runtime.vector_stores.models import (
    StoreFile,
    StoreFileStatus,
    StoreStats,
    VectorStore,
)
from tests.ingest.making import pdf
from tests.ingest.waiting import (
    IN_PROGRESS,
    PROSE,
    OpenUpstream,
    chunks_of,
    read,
    waiting_file,
    windows_of,
)
from tests.support.make import Make
from tests.support.turns import embeds, fails
from tests.support.upstream import Upstream


async def test_a_file_becomes_searchable_as_a_whole(
    ingest: Ingest, make: Make, db: Database
) -> None:
    row = await waiting_file(make, max_chunk_size_tokens=200, chunk_overlap_tokens=100)

    assert await ingest_waiting(ingest) == 1

    done = await read(db, row)
    chunks, windows = await chunks_of(db, row), await windows_of(db, row)
    assert (done.status, done.error_code) == (StoreFileStatus.COMPLETED, None)
    assert (done.lease_owner, done.lease_expires_at) == (None, None)
    assert done.completed_at is not None and done.completed_at <= now()
    assert done.usage_bytes > len(PROSE)
    assert len(chunks) > 3 and all(chunk.page_starts is None for chunk in chunks)
    assert all(PROSE[c.char_start : c.char_end] == c.content for c in chunks)
    assert {pk for window in windows for pk in window.chunk_pks} == {
        chunk.pk for chunk in chunks
    }
    async with db.transaction() as session:
        stats = await session.get_one(StoreStats, row.store_pk)
    assert stats.chunk_count == len(chunks)


async def test_a_chunk_knows_where_its_pages_begin(
    ingest: Ingest, make: Make, db: Database
) -> None:
    pages = [f"Page {word} speaks of stone. " * 12 for word in ("one", "two", "three")]
    row = await waiting_file(make, pdf(*pages), "stones.pdf")

    await ingest_waiting(ingest)

    [chunk] = await chunks_of(db, row)
    assert (chunk.page_from, chunk.page_to) == (1, 3)
    assert chunk.page_starts is not None
    assert [number for number, _ in chunk.page_starts] == [1, 2, 3]
    for (_, offset), word in zip(
        chunk.page_starts, ("one", "two", "three"), strict=True
    ):
        assert chunk.content[offset:].startswith(f"Page {word} speaks")


@pytest.mark.parametrize(
    ("content", "filename", "code", "sentence"),
    [
        (b"MZ\x90\x00", "setup.exe", "unsupported_file", "exe"),
        (b"%PDF-1.4 and no more", "cut.pdf", "invalid_file", "PDF"),
        (b" \n\n ", "blank.txt", "invalid_file", "no text"),
    ],
)
async def test_a_file_that_cannot_be_read_says_why(
    ingest: Ingest,
    make: Make,
    db: Database,
    content: bytes,
    filename: str,
    code: str,
    sentence: str,
) -> None:
    row = await waiting_file(make, content, filename)

    await ingest_waiting(ingest)

    failed = await read(db, row)
    assert (failed.status, failed.error_code) == (StoreFileStatus.FAILED, code)
    assert sentence in (failed.error_message or "")
    assert failed.lease_owner is None
    assert await chunks_of(db, row) == []


async def test_a_file_without_its_bytes_fails(
    ingest: Ingest, make: Make, db: Database, storage: Storage
) -> None:
    lost, missing = [await waiting_file(make) for _ in range(2)]
    async with db.transaction() as session:
        file = await session.get_one(File, lost.file_pk)
        await session.execute(
            update(File)
            .where(File.pk == missing.file_pk)
            .values(content_state=ContentState.MISSING)
        )
    await storage.delete(file.storage_key)

    await ingest_waiting(ingest)

    for row in (lost, missing):
        failed = await read(db, row)
        assert (failed.status, failed.error_code) == ("failed", "server_error")
        assert "upload it again" in (failed.error_message or "")


async def test_a_passing_failure_is_waited_out(
    embedding_upstream: OpenUpstream, upstream: Upstream, make: Make, db: Database
) -> None:
    model = upstream.script(fails(500), fails(429), embeds(dimensions=8))
    store = await make.store(embedding_model=model, embedding_dimensions=0)
    row = await waiting_file(make, "Short.", store=store)
    slow = dataclasses.replace(embedding_upstream(model), backoff_seconds=60)

    assert await ingest_waiting(slow) == 1
    put_off = await read(db, row)
    assert (put_off.status, put_off.lease_owner) == (IN_PROGRESS, None)
    assert timedelta(seconds=50) < put_off.available_at - now() < timedelta(seconds=61)
    async with db.transaction() as session:
        again = await session.get_one(StoreFile, row.pk)
        again.available_at = await session.database_now()
    await ingest_waiting(embedding_upstream(model))

    done = await read(db, row)
    assert (done.status, done.error_code) == (StoreFileStatus.COMPLETED, None)
    async with db.transaction() as session:
        kept = await session.get_one(VectorStore, store.pk)
    assert kept.embedding_dimensions == 8


async def test_a_lasting_failure_is_an_outcome_after_some_attempts(
    embedding_upstream: OpenUpstream, upstream: Upstream, make: Make, db: Database
) -> None:
    model = upstream.script(fails(500), repeat=True)
    store = await make.store(embedding_model=model, embedding_dimensions=0)
    row = await waiting_file(make, "Short.", store=store)
    ingest = dataclasses.replace(embedding_upstream(model), max_attempts=3)

    assert await ingest_waiting(ingest) == 3

    failed = await read(db, row)
    assert (failed.status, failed.error_code) == ("failed", "server_error")
    assert (failed.error_message or "").endswith("It was tried 3 times.")


async def test_a_refusal_by_the_embedding_model_is_final(
    embedding_upstream: OpenUpstream, upstream: Upstream, make: Make, db: Database
) -> None:
    model = upstream.script(fails(400, message="too long"), repeat=True)
    store = await make.store(embedding_model=model, embedding_dimensions=0)
    row = await waiting_file(make, "Short.", store=store)

    assert await ingest_waiting(embedding_upstream(model)) == 1

    failed = await read(db, row)
    assert failed.status is StoreFileStatus.FAILED
    assert "could not be embedded" in (failed.error_message or "")


@pytest.mark.parametrize(
    "fields", [{"embedding_model": "of-old"}, {"embedding_dimensions": 7}]
)
async def test_a_store_of_another_embedding_model_takes_no_more_files(
    ingest: Ingest, make: Make, db: Database, fields: dict[str, Any]
) -> None:
    row = await waiting_file(make, "Short.", store=await make.store(**fields))

    await ingest_waiting(ingest)

    failed = await read(db, row)
    assert (failed.status, failed.error_code) == ("failed", "server_error")
    assert "new vector store" in (failed.error_message or "")
    assert await chunks_of(db, row) == []


async def test_the_index_of_a_file_is_copied_to_its_other_stores(
    embedding_upstream: OpenUpstream, upstream: Upstream, make: Make, db: Database
) -> None:
    model = upstream.script(embeds(dimensions=8))  # answers once only
    ingest = dataclasses.replace(embedding_upstream(model), max_attempts=1)
    file = await make.file(
        pdf("A page of basalt.", "A page of iron."), filename="a.pdf"
    )
    rows = []
    for sizes in ((800, 400), (800, 400), (100, 0)):
        store = await make.store(embedding_model=model, embedding_dimensions=0)
        row = await make.store_file(
            store,
            status=IN_PROGRESS,
            file=file,
            max_chunk_size_tokens=sizes[0],
            chunk_overlap_tokens=sizes[1],
        )
        await ingest_waiting(ingest)
        rows.append(await read(db, row))

    first, copied, otherwise_cut = rows
    assert copied.status is StoreFileStatus.COMPLETED
    assert copied.usage_bytes == first.usage_bytes
    [theirs], [ours] = await chunks_of(db, first), await chunks_of(db, copied)
    assert (ours.content, ours.page_starts) == (theirs.content, theirs.page_starts)
    [window] = await windows_of(db, copied)
    assert window.chunk_pks == [ours.pk] and window.store_pk == copied.store_pk
    async with db.transaction() as session:
        assert (await session.get_one(StoreStats, copied.store_pk)).chunk_count == 1
    assert otherwise_cut.status is StoreFileStatus.FAILED
