"""Reading server-sent events, as far as chat completions use them."""

from collections.abc import AsyncIterator

# A line longer than this is no chat chunk but a server gone astray.
_MAX_LINE_BYTES = 16 * 1024 * 1024


async def event_data(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The `data` of each event, in order, whatever pieces the bytes arrive in.

    Lines end in LF or CRLF; bytes are split before they are decoded, so neither a
    multi-byte character cut in two nor U+2028 inside a text does harm. Comments, event
    names and ids are skipped. A last event without its blank line is given as well.

    Raises:
        ValueError: a line beyond 16 MiB.
    """
    data: list[str] = []
    async for line in _lines(pieces):
        if line.startswith(b"data:"):
            value = line[5:].removeprefix(b" ")
            data.append(value.decode("utf-8", errors="replace"))
        elif not line and data:
            yield "\n".join(data)
            data.clear()
    if data:
        yield "\n".join(data)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = bytearray()
    async for piece in pieces:
        rest += piece
        if b"\n" in piece:
            *lines, tail = bytes(rest).split(b"\n")
            rest = bytearray(tail)
            for line in lines:
                yield line.removesuffix(b"\r")
        elif len(rest) > _MAX_LINE_BYTES:
            raise ValueError("a line of the stream is too long")
    if rest:
        yield bytes(rest).removesuffix(b"\r")
