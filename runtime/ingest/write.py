"""From what was cut and embedded to rows, within the caller's transaction."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import insert

from runtime.db.transaction import Session
from runtime.ingest.chunk import Chunk, Window
from runtime.ingest.parse.document import PageSpan
from runtime.vector_stores import models
from runtime.vector_stores.models import StoreFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PageStarts = list[list[int]]
"""[[page, offset in the chunk's text], …]"""

_BYTES_PER_DIMENSION = 2  # half precision


async def write_index(
    session: Session,
    store_file: StoreFile,
    *,
    chunks: Sequence[Chunk],
    windows: Sequence[Window],
    vectors: "NDArray[np.float32]",
    page_starts: Sequence[PageStarts | None],
) -> int:
    """Insert a file's chunks and windows; the bytes that they take.

    Args:
        vectors: one row for each window, in order.
        page_starts: of each chunk, in order: what `place_on_pages` gives.
    """
    rows = await session.scalars(
        insert(models.Chunk).returning(models.Chunk.pk, sort_by_parameter_order=True),
        [
            {
                "store_pk": store_file.store_pk,
                "store_file_pk": store_file.pk,
                "ordinal": chunk.ordinal,
                "content": chunk.text,
                "char_start": chunk.char_start,
                "char_end": chunk.char_end,
                "page_from": chunk.page_from,
                "page_to": chunk.page_to,
                "page_starts": starts,
                "tokens": chunk.tokens,
            }
            for chunk, starts in zip(chunks, page_starts, strict=True)
        ],
    )
    chunk_pks = list(rows)
    await session.execute(
        insert(models.Window),
        [
            {
                "store_pk": store_file.store_pk,
                "store_file_pk": store_file.pk,
                "chunk_pks": [chunk_pks[ordinal] for ordinal in window.chunk_ordinals],
                "embedding": vector,
            }
            for window, vector in zip(windows, vectors, strict=True)
        ],
    )
    text_bytes = sum(len(chunk.text.encode()) for chunk in chunks)
    return text_bytes + vectors.size * _BYTES_PER_DIMENSION


def place_on_pages(
    chunks: Sequence[Chunk], pages: Sequence[PageSpan] | None
) -> list[PageStarts | None]:
    """For each chunk: which page each part of it lies on.

    Args:
        pages: of the document, in order; None where it has none.
    """
    if not pages:
        return [None] * len(chunks)
    starts = [page.start for page in pages]
    return [_page_starts(chunk, pages, starts) for chunk in chunks]


def _page_starts(
    chunk: Chunk, pages: Sequence[PageSpan], starts: Sequence[int]
) -> PageStarts:
    first = max(0, bisect_right(starts, chunk.char_start) - 1)
    end = bisect_left(starts, chunk.char_end)
    return [
        [page.number, max(0, page.start - chunk.char_start)]
        for page in pages[first:end]
    ]
