"""Server-sent events, in whatever pieces their bytes arrive."""

from collections.abc import AsyncIterator

import pytest

from runtime.gateway.sse import event_data

STREAM = (
    ": a comment\r\n\r\nevent: x\nid: 5\ndata: first\n\n"
    "data:second, without a blank\r\n\r\n"
    "data: two\ndata: lines\n\n\n\n"
    "data: é😀 \u2028 \x85 one line\n\n"
    "data: no blank line behind"
).encode()
EXPECTED = [
    "first",
    "second, without a blank",
    "two\nlines",
    "é😀 \u2028 \x85 one line",
    "no blank line behind",
]


async def pieces(stream: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(stream), size):
        yield stream[at : at + size]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_events_come_whole_from_pieces_of_any_size(size: int) -> None:
    assert [data async for data in event_data(pieces(STREAM, size))] == EXPECTED


async def test_bytes_that_are_no_utf8_are_replaced() -> None:
    stream = pieces(b"data: a\xffb\n\n", 100)

    assert [data async for data in event_data(stream)] == ["a�b"]


async def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        async for _ in event_data(pieces(b"x" * (17 << 20), 1 << 20)):
            pass
