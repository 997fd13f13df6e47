"""What parsing gives, what it may cost, and how it fails."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Self

ParseErrorCode = Literal["unsupported_file", "invalid_file", "server_error"]


@dataclass(frozen=True, slots=True)
class PageSpan:
    """Where a page, slide or sheet lies in the text: code points, end exclusive."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A file's text, ready to be cut, stored and cited.

    Every offset anywhere counts code points of this `text`. It holds no NUL (Postgres
    takes none), no lone surrogate and no carriage return; it is otherwise as the file
    has it, neither composed nor decomposed, so a quote matches its source.
    """

    text: str
    pages: tuple[PageSpan, ...] | None = None


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one file may cost before it is given up.

    The text limit stands for OpenAI's 5,000,000 tokens a file, at four characters each.
    """

    memory_bytes: int = 1 << 30
    cpu_seconds: int = 120
    wall_seconds: float = 120
    text_characters: int = 20_000_000

    @classmethod
    def within(cls, seconds: float) -> Self:
        """So long by the clock, and no less at work: a busy file may use all of it."""
        return cls(cpu_seconds=max(1, math.ceil(seconds)), wall_seconds=seconds)


class ParseFailed(Exception):
    """The file gives no text; `message` is a sentence for the one who uploaded it.

    `detail` is for our logs: how the reader ended, never what the file says.
    """

    def __init__(self, code: ParseErrorCode, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail


def invalid(message: str, detail: str = "") -> ParseFailed:
    """The failure of a file that is not what it should be."""
    return ParseFailed("invalid_file", message, detail)


class TextBuilder:
    """Collects a document's text piece by piece, cleaned, and knows where pages lie.

    Raises `ParseFailed` as soon as there is more than `max_characters`, so that a small
    file that unfolds into a huge text stops early.
    """

    def __init__(self, max_characters: int) -> None:
        self.max_characters = max_characters
        self._parts: list[str] = []
        self._length = 0
        self._pages: list[PageSpan] = []

    def write(self, text: str) -> None:
        cleaned = _clean(text)
        self._length += len(cleaned)
        if self._length > self.max_characters:
            raise too_much_text(self.max_characters)
        self._parts.append(cleaned)

    @contextmanager
    def page(self, number: int) -> Iterator[None]:
        """What is written inside belongs to this page; a blank line follows it."""
        start = self._length
        yield
        self._pages.append(PageSpan(number, start, self._length))
        self.write("\n\n")

    def document(self) -> Document:
        pages = tuple(self._pages) if self._pages else None
        return Document("".join(self._parts), pages)


def too_much_text(max_characters: int) -> ParseFailed:
    """The failure of a file whose text is too long."""
    return invalid(
        f"The file holds more than {max_characters:,} characters of text, which is the "
        "limit; split it into several files."
    )


_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNWANTED = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f\ufeff\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _clean(text: str) -> str:
    if _SURROGATE.search(text):
        # Pairs become the character they stand for; what is alone becomes U+FFFD.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _UNWANTED.sub("", _LINE_ENDS.sub("\n", text))
