"""The demonstration's own look at a PNG, beside that of an imaging library."""

import io
import struct
import zlib

import pytest
from PIL import Image

from runtime.cli.demo.png import NotAPicture, read_png


def _gradient(mode: str) -> Image.Image:
    picture = Image.radial_gradient("L").resize((61, 47))
    return Image.merge("RGB", [picture, picture.rotate(90), picture]).convert(mode)


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _png_of_rows(rows: list[bytes], width: int) -> bytes:
    """Grey, 8 bits; each row begins with its filter."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body))
        + name
        + body
        + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_it_counts_the_colours_that_an_imaging_library_sees(mode: str) -> None:
    picture = _gradient(mode)

    seen = read_png(_png(picture))

    colours = picture.getcolors(picture.width * picture.height)
    assert colours is not None
    assert (seen.width, seen.height, seen.colours) == (61, 47, len(colours))


@pytest.mark.parametrize("kind", range(5))
def test_every_filter_is_undone(kind: int) -> None:
    data = _png_of_rows([b"\0\1\2\3\4", bytes([kind, 9, 250, 7, 3])], width=4)

    seen = read_png(data)

    with Image.open(io.BytesIO(data)) as picture:
        assert seen.colours == len(picture.getcolors() or ())


def test_one_colour_is_seen_as_one() -> None:
    assert read_png(_png(Image.new("RGBA", (5, 5), "navy"))).colours == 1


@pytest.mark.parametrize("cut", [0, 20, 200, -5])
def test_what_is_cut_short_is_no_picture(cut: int) -> None:
    with pytest.raises(NotAPicture):
        read_png(_png(_gradient("RGB"))[:cut])


def test_a_flipped_bit_is_found() -> None:
    data = bytearray(_png(_gradient("RGB")))
    data[len(data) // 2] ^= 1

    with pytest.raises(NotAPicture, match="checksum"):
        read_png(bytes(data))


def test_a_filter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NotAPicture, match="filter"):
        read_png(_png_of_rows([b"\7\1"], width=1))
