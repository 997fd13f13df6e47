"""What a search gives, and how the API shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.wire.search import (
    VectorStoreSearchResultContentObject,
    VectorStoreSearchResultItem,
    VectorStoreSearchResultsPage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that was found.

    Attributes:
        score: 0 to 1, comparable between questions.
        attributes: of the file in its store.
        char_start, char_end: code points in the file's parsed text.
        page_from, page_to: from 1; None where the file has no pages.
        page_starts: [[page, offset in `text`], …], rising; None without pages.
    """

    file_id: str
    filename: str
    score: float
    attributes: dict[str, Any]
    text: str
    char_start: int
    char_end: int
    page_from: int | None
    page_to: int | None
    page_starts: list[list[int]] | None


def without_repeats(hits: Sequence[Hit]) -> list[Hit]:
    """Hits, best first, without those whose text better ones of their file hold.

    Chunks overlap by half, so that a good passage is found two or three times. Dropped
    is a hit of which nine tenths stand in better hits.
    """
    kept: list[Hit] = []
    for hit in hits:
        better = [other for other in kept if other.file_id == hit.file_id]
        if _shared(hit, better) < 0.9 * (hit.char_end - hit.char_start):
            kept.append(hit)
    return kept


def _shared(hit: Hit, others: Sequence[Hit]) -> int:
    """How many characters of a hit stand in at least one of the others."""
    shared, reached = 0, hit.char_start
    for other in sorted(others, key=lambda other: other.char_start):
        start = max(other.char_start, reached)
        end = min(other.char_end, hit.char_end)
        shared += max(0, end - start)
        reached = max(reached, end)
    return shared


def render_hits(
    queries: str | Sequence[str], hits: Sequence[Hit]
) -> VectorStoreSearchResultsPage:
    """A search's results as the API shows them: one item for each chunk, best first."""
    return VectorStoreSearchResultsPage(
        search_query=[queries] if isinstance(queries, str) else list(queries),
        data=[
            VectorStoreSearchResultItem(
                file_id=hit.file_id,
                filename=hit.filename,
                score=hit.score,
                attributes=hit.attributes,
                content=[VectorStoreSearchResultContentObject(text=hit.text)],
            )
            for hit in hits
        ],
    )
