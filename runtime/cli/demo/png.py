"""Read a PNG picture far enough to know that it is one, and that it shows something.

The runtime has no imaging library, and needs none for this: chunks with their checksums,
one zlib stream, five filters (PNG specification, W3C 2003, sections 5, 9 and 10).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)


class NotAPicture(Exception):
    """These bytes are no PNG, or a damaged one; in words."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a PNG shows: size in pixels, and how many distinct pixels it has."""

    width: int
    height: int
    colours: int


def read_png(data: bytes) -> Picture:
    """Decode a picture of 8 bits a channel, as charts are.

    Raises:
        NotAPicture: it is something else, damaged, or cut short.
    """
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        raise NotAPicture("the PNG is cut short")
    width, height, depth, colour, _, _, interlaced = struct.unpack(
        ">IIBBBBB", chunks[0][1]
    )
    if depth != 8 or colour not in _CHANNELS or interlaced:
        raise NotAPicture(f"a PNG of an unusual kind ({depth} bits, type {colour})")
    try:
        raw = zlib.decompress(
            b"".join(body for name, body in chunks if name == b"IDAT")
        )
    except zlib.error as error:
        raise NotAPicture(f"its pixels are damaged: {error}") from None
    size = _CHANNELS[colour]
    if len(raw) != height * (1 + width * size):
        raise NotAPicture("it holds more or fewer pixels than it says")
    seen: set[bytes] = set()
    for row in _rows(raw, width * size, size):
        seen.update(row[at : at + size] for at in range(0, len(row), size))
    return Picture(width, height, len(seen))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(_SIGNATURE):
        raise NotAPicture("it does not begin as a PNG does")
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(name + body)):
            raise NotAPicture("a checksum is wrong")
        yield name, body
        at += 12 + length


def _rows(raw: bytes, length: int, size: int) -> Iterator[bytes]:
    above = bytes(length)
    for start in range(0, len(raw), length + 1):
        row = bytearray(raw[start + 1 : start + 1 + length])
        _unfilter(raw[start], row, above, size)
        above = bytes(row)
        yield above


def _unfilter(kind: int, row: bytearray, above: bytes, size: int) -> None:
    if kind > _PAETH:
        raise NotAPicture("a row has a filter that does not exist")
    if kind == _NONE:
        return
    if kind == _UP:
        row[:] = bytes((a + b) & 255 for a, b in zip(row, above, strict=True))
        return
    for at in range(len(row)):
        left = row[at - size] if at >= size else 0
        if kind == _SUB:
            expected = left
        elif kind == _AVERAGE:
            expected = (left + above[at]) // 2
        else:
            corner = above[at - size] if at >= size else 0
            expected = _paeth(left, above[at], corner)
        row[at] = (row[at] + expected) & 255


def _paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    by_left, by_above = abs(estimate - left), abs(estimate - above)
    by_corner = abs(estimate - corner)
    if by_left <= by_above and by_left <= by_corner:
        return left
    return above if by_above <= by_corner else corner
