"""From the markers a model repeats to annotations with exact offsets.

A file search hands the model chunks, each under a marker `【turn:index†file name】`. The
model repeats markers in its answer; here they become `file_citation` annotations while
the text streams by, and a marker that names no chunk it was given is dropped. Links to
files that its code wrote, `sandbox:/mnt/data/name`, become `file_path` annotations.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.gateway.sentences import sentence_spans

_OPEN, _CLOSE = "【", "】"
_LOOKS_CITED = re.compile(r"【\d+:\d+†[^】]*】")
# A file name has at most 255 characters; what is longer is no marker but text.
_LONGEST_MARKER = 300
_DATA = "sandbox:/mnt/data/"
_SANDBOX_LINK = re.compile(r"sandbox:/mnt/data/[^\s)\]\"'>`]+")
_WORD = re.compile(r"\w+")
# A statement and its marker are not far apart.
_LAST_WORDS = 2_000


@dataclass(frozen=True, slots=True)
class Source:
    """A chunk that a model was given, as a citation speaks of it.

    `page_starts` are (page number, offset into `text`) of the pages it lies on.
    """

    file_id: str
    filename: str
    text: str
    char_start: int
    page_starts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of an answer as it goes out: text, or an annotation of it."""

    text: str = ""
    annotation: dict[str, Any] | None = None
    # Where the annotation's marker begins in the text as it goes out.
    start: int = 0
    index: int = 0


@dataclass(slots=True)
class CitedText:
    """An answer's text as it grows.

    Attributes:
        sources: marker → chunk, of everything this run has found.
        written: name → file id, of what code of this thread has written.
        clean: the text without markers, in pieces.
        annotations: in order, with `start` (and `end`) in the clean text.
    """

    sources: Mapping[str, Source]
    written: Mapping[str, str] = field(default_factory=dict)
    clean: list[str] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    _held: str = ""
    _clean_length: int = 0
    _wire_length: int = 0

    @property
    def text(self) -> str:
        """The text so far, without markers."""
        return "".join(self.clean)

    def feed(self, text: str) -> list[Piece]:
        """Take more of the answer; what may be half a marker is held back."""
        self._held += text
        pieces: list[Piece] = []
        while self._held:
            start = self._held.find(_OPEN)
            if start < 0:
                pieces += self._say(len(self._held))
                break
            pieces += self._say(start)
            end = self._held.find(_CLOSE)
            if end < 0:
                if len(self._held) <= _LONGEST_MARKER:
                    break
                pieces += self._say(1)
                continue
            # A bracket that was opened before is the model's own; no name holds one.
            if inner := self._held.rfind(_OPEN, 0, end):
                pieces += self._say(inner)
            else:
                pieces += self._marker(end + 1)
        return pieces

    def end(self) -> list[Piece]:
        """The answer is whole: let go of what was held, and annotate links to files."""
        pieces = self._say(len(self._held))
        text = self.text
        shift = self._shifts()
        for link in _SANDBOX_LINK.finditer(text):
            found = self._link(link.group())
            if found is None:
                continue
            marker, file_id = found
            annotation = {
                "kind": "file_path",
                "file_id": file_id,
                "marker": marker,
                "start": link.start(),
                "end": link.start() + len(marker),
            }
            start = link.start() + shift(link.start())
            index = len(self.annotations)
            self.annotations.append(annotation)
            pieces.append(Piece(annotation=annotation, start=start, index=index))
        # Sorting is stable, and citations were in order already.
        self.annotations.sort(key=lambda annotation: int(annotation["start"]))
        return pieces

    def _link(self, link: str) -> tuple[str, str] | None:
        """The longest file name that this link may mean: prose adds stops to it."""
        name = link.removeprefix(_DATA)
        while name:
            if name in self.written:
                return _DATA + name, self.written[name]
            if name[-1] not in ".,;:!?*_":
                return None
            name = name[:-1]
        return None

    def _shifts(self) -> Any:
        """How far markers push a place of the clean text in the text that goes out."""
        marks = [(a["start"], len(a["marker"])) for a in self.annotations]
        return lambda place: sum(length for at, length in marks if at <= place)

    def _say(self, length: int) -> list[Piece]:
        text, self._held = self._held[:length], self._held[length:]
        if not text:
            return []
        self.clean.append(text)
        self._clean_length += len(text)
        self._wire_length += len(text)
        return [Piece(text=text)]

    def _marker(self, length: int) -> list[Piece]:
        marker = self._held[:length]
        source = self.sources.get(marker)
        if source is None:
            if not _LOOKS_CITED.fullmatch(marker):
                return self._say(length)  # somebody's own brackets
            self._held = self._held[length:]
            return []
        self._held = self._held[length:]
        annotation = {
            "kind": "file_citation",
            "file_id": source.file_id,
            "filename": source.filename,
            "marker": marker,
            "start": self._clean_length,
            **_quote(source, self.text),
        }
        start, index = self._wire_length, len(self.annotations)
        self.annotations.append(annotation)
        self._wire_length += length
        return [
            Piece(text=marker),
            Piece(annotation=annotation, start=start, index=index),
        ]


def _quote(source: Source, answer: str) -> dict[str, Any]:
    """The sentence of the chunk that the answer's last sentence rests on, and its place."""
    tail = answer[-_LAST_WORDS:]
    said = [tail[start:end] for start, end in sentence_spans(tail)]
    words = next((found for text in reversed(said) if (found := _words(text))), set())
    spans = list(sentence_spans(source.text)) or [(0, len(source.text))]
    start, end = max(
        spans, key=lambda span: _likeness(words, _words(source.text[slice(*span)]))
    )
    pages = [number for number, at in source.page_starts if at <= start]
    return {
        "quote": source.text[start:end],
        "page": pages[-1] if pages else None,
        "char_start": source.char_start + start,
        "char_end": source.char_start + end,
    }


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / (len(one | other) or 1)
