"""Cut a document into chunks to read and cite, and windows to embed.

Tokens are those of the local embedder's wordpiece tokenizer, which is at hand offline;
OpenAI's own tokenizer downloads its vocabulary. English prose has about as many of one
as of the other; code and other languages differ by some tens of percent. What a
wordpiece tokenizer does not see is counted too, because the model that reads the chunk
will see it: a word it calls unknown (a hash, base64, emoji) is one token for every four
characters, and a long run of blanks one for every 32.

Two sizes on purpose: the embedder sees 256 tokens, so one vector for a chunk of 800
would be a vector of its beginning. Windows of 200 tokens lie side by side, each is
embedded once, and each knows the chunks it lies in (two, mostly, as chunks overlap by
half). Measured on a public benchmark: clearly better than a vector per chunk.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from runtime.ingest.parse.document import Document, PageSpan

WINDOW_TOKENS = 200

# Tokenizing is fastest, and linear, on texts about this long.
_SLICE_CHARACTERS = 8_000
_UNKNOWN_CHARACTERS = 4
_BLANK_CHARACTERS = 32

_SENTENCE_ENDS = frozenset(".!?…。！？")
_CLOSERS = "\"'”’»)]】」』"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the document that a search returns.

    `text` is `document.text[char_start:char_end]`; pages are those of its first and last
    visible character, None where the document has no pages.
    """

    ordinal: int
    text: str
    char_start: int
    char_end: int
    page_from: int | None
    page_to: int | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the document that gets one vector, and the chunks it speaks for."""

    text: str
    char_start: int
    char_end: int
    chunk_ordinals: tuple[int, ...]


def split(
    document: Document,
    *,
    tokenizer: Tokenizer,
    max_chunk_size_tokens: int = 800,
    chunk_overlap_tokens: int = 400,
) -> tuple[list[Chunk], list[Window]]:
    """Cut a document into its chunks and windows, both in order of the text.

    Together the chunks cover the text without a gap, and so do the windows. No chunk has
    more than `max_chunk_size_tokens`; it ends at the last paragraph, sentence, line or
    word in its final eighth. Neighbours share at most `chunk_overlap_tokens` and at
    least three quarters of that, starting at the best place between. Every chunk has
    at least one window. A document without visible text has neither.

    Args:
        tokenizer: with offsets in code points, neither truncating nor padding.
        chunk_overlap_tokens: at most half of `max_chunk_size_tokens`, as in the API.
    """
    if not 0 <= chunk_overlap_tokens <= max_chunk_size_tokens / 2:
        raise ValueError("chunk_overlap_tokens is more than half of the chunk size")
    text = document.text
    if not text or text.isspace():
        return [], []
    cuts = _cuts(text, tokenizer)
    spans = _spans(
        text,
        cuts,
        size=max_chunk_size_tokens,
        overlap=chunk_overlap_tokens,
        slack=max_chunk_size_tokens // 8,
    )
    chunks = [
        _chunk(document, ordinal, cuts, first, last)
        for ordinal, (first, last) in enumerate(spans)
    ]
    size = min(WINDOW_TOKENS, max_chunk_size_tokens)
    ranges = [
        (cuts[first], cuts[last])
        # More slack than a chunk's: whole sentences make better vectors.
        for first, last in _spans(text, cuts, size=size, overlap=0, slack=size // 4)
    ]
    links = _links(chunks, ranges)
    windows = [
        Window(text[start:end], start, end, ordinals)
        for (start, end), ordinals in zip(ranges, links, strict=True)
    ]
    return chunks, windows


def _chunk(
    document: Document, ordinal: int, cuts: Sequence[int], first: int, last: int
) -> Chunk:
    start, end = cuts[first], cuts[last]
    text = document.text[start:end]
    page_from = page_to = None
    if document.pages:
        visible_start = start + len(text) - len(text.lstrip())
        visible_end = start + len(text.rstrip())
        page_from = _page_at(document.pages, min(visible_start, end - 1))
        page_to = _page_at(document.pages, max(visible_end - 1, start))
    return Chunk(ordinal, text, start, end, page_from, page_to, last - first)


def _page_at(pages: Sequence[PageSpan], offset: int) -> int:
    index = bisect_right(pages, offset, key=lambda page: page.start) - 1
    return pages[max(index, 0)].number


def _cuts(text: str, tokenizer: Tokenizer) -> Sequence[int]:
    """The offsets between tokens, from 0 to the text's end, strictly rising.

    A token owns the blanks behind it, up to the end of the line: a line keeps its
    indentation.
    """
    unknown = tokenizer.token_to_id("[UNK]")
    cuts = array("Q", [0])
    behind = 0
    for base, piece in _slices(text):
        encoding = tokenizer.encode(piece, add_special_tokens=False)
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            start, end = base + start, base + end
            if start - behind > 1:
                _cut_blanks(cuts, text, behind, start)
            elif start > cuts[-1]:  # accents give several tokens for one character
                cuts.append(start)
            if token == unknown:
                cuts.extend(
                    range(start + _UNKNOWN_CHARACTERS, end, _UNKNOWN_CHARACTERS)
                )
            behind = end
    cuts.extend(range(behind + _BLANK_CHARACTERS, len(text), _BLANK_CHARACTERS))
    cuts.append(len(text))
    return cuts


def _cut_blanks(cuts: "array[int]", text: str, start: int, end: int) -> None:
    line = text.rfind("\n", start, end) + 1 or end
    cuts.extend(range(start + _BLANK_CHARACTERS, line, _BLANK_CHARACTERS))
    cuts.append(line)
    cuts.extend(range(line + _BLANK_CHARACTERS, end, _BLANK_CHARACTERS))


def _slices(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = min(start + _SLICE_CHARACTERS, len(text))
        if end < len(text):
            middle = start + _SLICE_CHARACTERS // 2
            blank = max(text.rfind(mark, middle, end) for mark in " \n\t")
            end = blank + 1 or end
        yield start, text[start:end]
        start = end


def _spans(
    text: str, cuts: Sequence[int], *, size: int, overlap: int, slack: int
) -> Iterator[tuple[int, int]]:
    """Ranges of tokens, as pairs of indices into `cuts`, that cover all of it.

    Each begins after the one before, since slack and overlap together are less than a
    size.
    """
    count = len(cuts) - 1
    first = 0
    while True:
        if count - first <= size:
            yield first, count
            return
        last = _best_cut(text, cuts, first + size - slack, first + size)
        yield first, last
        first = _best_cut(text, cuts, last - overlap, last - overlap + overlap // 4)


def _best_cut(text: str, cuts: Sequence[int], low: int, high: int) -> int:
    """The index from `low` to `high` where a cut hurts least; the later among equals."""
    return max(
        range(low, high + 1),
        key=lambda index: (_strength(text, cuts[index]), index),
    )


def _strength(text: str, offset: int) -> int:
    """How natural a cut is here: 4 paragraph, 3 sentence or item, 2 line, 1 word, 0."""
    before = text[max(0, offset - _BLANK_CHARACTERS) : offset]
    words = before.rstrip()
    blanks = before[len(words) :]
    if blanks.count("\n") > 1:
        return 4
    ended = words.rstrip(_CLOSERS)[-1:] in _SENTENCE_ENDS
    # A line of wrapped prose goes on with a small letter; an item, a heading or a row
    # mostly does not.
    if "\n" in blanks:
        return 2 if not ended and text[offset : offset + 1].islower() else 3
    if ended and (blanks or words[-1] > "\u2fff"):  # 。 needs no blank behind it
        return 3
    return 1 if blanks else 0


def _links(
    chunks: Sequence[Chunk], ranges: Sequence[tuple[int, int]]
) -> list[tuple[int, ...]]:
    """For each window the chunks that hold at least half of it, or it half of them.

    Nobody is left out: a window has the chunk that holds most of it, and a chunk the
    window that lies in it most.
    """
    links: list[set[int]] = [set() for _ in ranges]
    best_of_chunk: dict[int, tuple[int, int]] = {}
    earliest = 0
    for index, (start, end) in enumerate(ranges):
        while chunks[earliest].char_end <= start:
            earliest += 1
        best = (0, 0)
        for chunk in _touching(chunks, earliest, end):
            shared = min(end, chunk.char_end) - max(start, chunk.char_start)
            smaller = min(end - start, chunk.char_end - chunk.char_start)
            if 2 * shared >= smaller:
                links[index].add(chunk.ordinal)
            best = max(best, (shared, chunk.ordinal))
            before = best_of_chunk.get(chunk.ordinal, (0, 0))
            best_of_chunk[chunk.ordinal] = max(before, (shared, index))
        links[index].add(best[1])
    for ordinal, (_, index) in best_of_chunk.items():
        links[index].add(ordinal)
    return [tuple(sorted(ordinals)) for ordinals in links]


def _touching(chunks: Sequence[Chunk], first: int, end: int) -> Iterator[Chunk]:
    for index in range(first, len(chunks)):
        if chunks[index].char_start >= end:
            return
        yield chunks[index]
