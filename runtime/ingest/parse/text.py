"""Plain text, Markdown, source code, JSON: decoded, and otherwise left as it is.

JSON and XML stay as written, so that a quote is found in the source again.
"""

import codecs
import re
from pathlib import Path

from runtime.ingest.parse.document import TextBuilder, invalid, too_much_text

# Longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 1 << 16
_MAX_BYTES_PER_CHARACTER = 4
# Hardly any of these is in text (a log cut off by a crash has some); in binary data one
# byte in ten is.
_CONTROLS = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_MAX_CONTROL_SHARE = 0.02
_MAX_DAMAGED_SHARE = 0.01


def read_text(path: Path, out: TextBuilder) -> None:
    """Read a file of text in whatever charset it is."""
    out.write(load_text(path, out.max_characters))


def load_text(path: Path, max_characters: int, declared: str | None = None) -> str:
    """Read and decode a file.

    In order: a byte order mark; UTF-16 without a mark; the charset the file declares of
    itself, if the bytes agree; UTF-8; UTF-8 with a few damaged bytes; a guess.

    Raises:
        ParseFailed: `invalid_file` for binary data, or for too much of it.
    """
    if path.stat().st_size > max_characters * _MAX_BYTES_PER_CHARACTER:
        raise too_much_text(max_characters)
    data = path.read_bytes()
    text = _decoded(data, declared)
    sample = text[:_SAMPLE_BYTES]
    controls = len(_CONTROLS.findall(sample))
    if controls > _MAX_CONTROL_SHARE * max(len(sample), 100):
        raise invalid("The file holds binary data, not text.")
    return text


def _decoded(data: bytes, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    for encoding in filter(None, (_utf16_without_mark(data), declared, "utf-8")):
        text = _strictly(data, encoding)
        if text is not None:
            return text
    return _slightly_damaged(data) or _guessed(data)


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _utf16_without_mark(data: bytes) -> str | None:
    sample = data[:_SAMPLE_BYTES]
    half = len(sample) // 2
    if not half or len(data) % 2:
        return None
    # Western text in UTF-16 has a zero in nearly every other byte.
    if sample[1::2].count(0) > 0.7 * half and sample[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if sample[0::2].count(0) > 0.7 * half and sample[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def _slightly_damaged(data: bytes) -> str | None:
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    beyond_ascii = len(data) - len(data.decode("ascii", "ignore"))
    # A Latin-1 text is damaged wherever it leaves ASCII; a damaged UTF-8 rarely is.
    slight = damaged < _MAX_DAMAGED_SHARE * len(text) and damaged * 10 < beyond_ascii
    return text if slight else None


def _guessed(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    encoding = best.encoding if best else "cp1252"
    return data.decode(encoding, "replace")
