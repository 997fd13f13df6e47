"""Which page each part of a chunk lies on."""

import pytest

from runtime.ingest.chunk import Chunk
from runtime.ingest.parse.document import PageSpan
from runtime.ingest.write import PageStarts, place_on_pages

PAGES = [PageSpan(1, 0, 10), PageSpan(2, 12, 20), PageSpan(4, 22, 30)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 10, [[1, 0]]),
        (0, 12, [[1, 0]]),
        (3, 13, [[1, 0], [2, 9]]),
        (11, 30, [[1, 0], [2, 1], [4, 11]]),
        (12, 20, [[2, 0]]),
        (25, 40, [[4, 0]]),
    ],
)
def test_a_chunk_lies_on_the_pages_it_touches(
    start: int, end: int, expected: PageStarts
) -> None:
    assert place_on_pages([_chunk(start, end)], PAGES) == [expected]


def test_a_text_before_the_first_page_lies_on_those_after_it() -> None:
    assert place_on_pages([_chunk(0, 20)], PAGES[1:]) == [[[2, 12]]]


def test_a_document_without_pages_places_nothing() -> None:
    assert place_on_pages([_chunk(0, 5), _chunk(5, 9)], None) == [None, None]


def _chunk(start: int, end: int) -> Chunk:
    return Chunk(
        ordinal=0,
        text="x" * (end - start),
        char_start=start,
        char_end=end,
        page_from=None,
        page_to=None,
        tokens=1,
    )
