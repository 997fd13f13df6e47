"""Where the sentences of a text are, headings and table rows told apart from prose."""

import re
from collections.abc import Iterator

# Longer than any sentence: lists and tables without a full stop are taken line by line.
_LONGEST = 600

# Where one sentence ends and the next begins: after its full stop, at an empty line, and
# before or after lines that are sentences of their own (headings, bullets, table rows).
_BOUNDARY = re.compile(
    r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9À-ÞА-Я])"
    r"|(?<=[。！？])"
    r"|\n[ \t]*\n"
    r"|\n(?=[ \t]*(?:[-*•#|>]|\d+[.)]\s))"
    r"|(?<=\|)[ \t]*\n"
)
_HEADING = re.compile(r"^(#[^\n]*)\n", re.MULTILINE)
# A PDF's heading stands on a short line of its own, with no empty line behind it.
_TITLE = re.compile(
    r"(?:\A|(?<=[.!?]\n)|(?<=\n\n))((?:\d+(?:\.\d+)*\.?[ ]+)?[A-Z][^\n.!?]{2,50})\n(?=[A-Z])"
)
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|Fig|No|Nos|Inc|e\.g|i\.e)\.)$"
)
_NUMBERED = re.compile(r"(?:^|\n)[ \t]*\d+(?:\.\d+)*\.$")
# Neither is longer. Looked for from a sentence's start, a thousand would cost a million.
_LONGEST_STOP = 40


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, blanks around it left out.

    Line breaks may stand inside of one. What no sentence can be so long as is taken
    line by line.
    """
    start = 0
    boundaries = sorted(
        [(found.start(), found.end()) for found in _BOUNDARY.finditer(text)]
        + [(found.end(1), found.end()) for found in _HEADING.finditer(text)]
        + [(found.end(1), found.end()) for found in _TITLE.finditer(text)]
    )
    for ends, begins in [*boundaries, (len(text), len(text))]:
        if ends < start or _goes_on(text, start, ends):
            continue
        yield from _trimmed(text, start, begins)
        start = begins


def _goes_on(text: str, start: int, ends: int) -> bool:
    """Whether the stop here is that of an abbreviation, or of a heading's number."""
    tail = max(start, ends - _LONGEST_STOP)
    return bool(
        _ABBREVIATED.search(text, tail, ends) or _NUMBERED.search(text, tail, ends)
    )


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    if len(piece.strip()) > _LONGEST:
        for line in re.finditer(r"[^\n]+", piece):
            yield from _span(text, start + line.start(), start + line.end())
    else:
        yield from _span(text, start, end)


def _span(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    if piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield start, start + len(piece.strip())
