"""HTML, as the text a reader would see.

A stream of tags, not a tree: time stays linear and nesting costs nothing, where tree
builders (html5 rules included) take quadratic time on deeply nested tags.
"""

import re
from html.parser import HTMLParser
from pathlib import Path

from runtime.ingest.parse.document import TextBuilder
from runtime.ingest.parse.text import load_text

_UNSEEN = frozenset(
    ["script", "style", "template", "noscript", "svg", "iframe", "object"]
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
# How many line ends part the element from what stands before and after it.
_BREAKS = {
    **dict.fromkeys(
        ["title", "p", "pre", "blockquote", "ul", "ol", "dl", "table", "figure", "hr"],
        2,
    ),
    **dict.fromkeys(
        ["section", "article", "header", "footer", "nav", "main", "aside", "form"], 2
    ),
    **dict.fromkeys(
        [
            "div",
            "li",
            "dt",
            "dd",
            "tr",
            "br",
            "caption",
            "figcaption",
            "address",
            "option",
        ],
        1,
    ),
    **dict.fromkeys(_HEADINGS, 2),
}
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_DECLARED = re.compile(
    rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE
)


def read_html(path: Path, out: TextBuilder) -> None:
    """Read a page: title, headings marked as in Markdown, lists, rows of tables."""
    with path.open("rb") as file:
        found = _DECLARED.search(file.read(4096))
    declared = found.group(1).decode("ascii") if found else None
    reader = _Reader(out)
    reader.feed(load_text(path, out.max_characters, declared))
    reader.close()


class _Reader(HTMLParser):
    def __init__(self, out: TextBuilder) -> None:
        super().__init__(convert_charrefs=True)
        self._out = out
        self._unseen = ""  # the element we are inside of and do not read
        self._unseen_depth = 0
        self._preformatted = 0
        self._breaks = 0  # line ends due before the next text
        self._prefix = ""
        self._begun = False
        self._blank = True  # the last character written was a blank

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unseen:
            self._unseen_depth += tag == self._unseen
            return
        if tag in _UNSEEN:
            self._unseen, self._unseen_depth = tag, 1
            return
        self._part(_BREAKS.get(tag, 0))
        if tag in _HEADINGS:
            self._prefix = _HEADINGS[tag]
        elif tag == "li":
            self._prefix = "- "
        elif tag == "pre":
            self._preformatted += 1
        elif tag in ("td", "th") and not self._breaks:
            self._write(" | ")
        elif tag == "img":
            self.handle_data(dict(attrs).get("alt") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # `<svg/>` opens nothing that would have to be closed.
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._unseen_depth -= tag == self._unseen
            if not self._unseen_depth:
                self._unseen = ""
            return
        self._part(_BREAKS.get(tag, 0))
        if tag == "pre" and self._preformatted:
            self._preformatted -= 1

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if not self._preformatted:
            data = _BLANKS.sub(" ", data)
            if self._blank or self._breaks:
                data = data.lstrip(" ")
        if data:
            self._write(data)

    def _part(self, breaks: int) -> None:
        self._breaks = max(self._breaks, breaks)

    def _write(self, text: str) -> None:
        if self._breaks and self._begun:
            self._out.write("\n" * self._breaks)
        self._out.write(self._prefix + text)
        self._begun = True
        self._breaks, self._prefix = 0, ""
        self._blank = text[-1].isspace()
