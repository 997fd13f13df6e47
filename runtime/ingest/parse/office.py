"""Word and PowerPoint, straight from their XML.

The usual libraries walk a tree and know only the paragraphs they have a class for: text
in content controls, tracked insertions, text boxes and notes is left out without a word.
Here every text run counts, in the order of the file, whatever is wrapped around it. The
XML is read as a stream, so depth and size cost time but no memory.
"""

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

from runtime.ingest.parse.archive import open_archive
from runtime.ingest.parse.document import TextBuilder, invalid

_PIECE_BYTES = 1 << 16
_HEADING = re.compile(r"heading\s?([1-6])$", re.IGNORECASE)
_ITEM = "- "
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def read_docx(path: Path, out: TextBuilder) -> None:
    """Read the body, tables as rows in place, then foot- and endnotes.

    Headings are marked as in Markdown. Page numbers exist only in a layout, which a
    Word file does not hold. Headers, footers and comments are left out.
    """
    with open_archive(path) as archive:
        names = set(archive.namelist())
        for part in ("word/document.xml", *_NOTES):
            if part in names:
                _read_part(archive, part, out.write)


def read_pptx(path: Path, out: TextBuilder) -> None:
    """Read the slides in the order they are shown, each as a page, with its notes."""
    with open_archive(path) as archive:
        for number, slide in enumerate(_slides(archive), 1):
            with out.page(number):
                _read_part(archive, slide, out.write)
                for notes in _related(archive, slide, "/notesSlide").values():
                    out.write("Notes:\n")
                    _read_part(archive, notes, out.write)


def _slides(archive: ZipFile) -> list[str]:
    presentation = "ppt/presentation.xml"
    targets = _related(archive, presentation, "/slide")
    root = _tree(archive, presentation)
    ids = [
        element.get(_RELATION, "")
        for element in root.iter()
        if _local(element.tag) == "sldId"
    ]
    return [targets[id] for id in ids if id in targets]


def _related(archive: ZipFile, part: str, kind: str) -> dict[str, str]:
    """The parts this one refers to by relations of a kind: relation id → name."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    names = set(archive.namelist())
    if relations not in names:
        return {}
    found = {}
    for relation in _tree(archive, relations):
        target = posixpath.join("/", folder, relation.get("Target", ""))
        target = posixpath.normpath(target).lstrip("/")
        if relation.get("Type", "").endswith(kind) and target in names:
            found[relation.get("Id", "")] = target
    return found


def _tree(archive: ZipFile, part: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(archive.read(part))
    except ElementTree.ParseError as error:
        raise _damaged(error) from error


def _read_part(archive: ZipFile, part: str, write: Callable[[str], None]) -> None:
    parser = ElementTree.XMLParser(target=_Runs(write))
    try:
        with archive.open(part) as file:
            while piece := file.read(_PIECE_BYTES):
                parser.feed(piece)
        parser.close()
    except ElementTree.ParseError as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> Exception:
    return invalid("The file is damaged; its contents are no valid XML.", repr(error))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


class _Runs:
    """Turns the events of WordprocessingML or DrawingML into lines of text.

    Both call a paragraph `p`, a run's text `t`, and a table `tbl` of `tr` of `tc`.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._paragraphs: list[list[str]] = []  # open ones; text boxes nest
        self._cells: list[list[str]] = []  # lines of each open cell; tables nest
        self._rows: list[list[str]] = []  # cells of each open row
        self._skipping = 0  # depth inside something said elsewhere or not at all
        self._properties = 0  # depth inside formatting, where `tab` is a tab stop
        self._in_text = False
        self._prefix = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if self._skipping or _unread(name, attributes):
            self._skipping += 1
            return
        if name.endswith("Pr"):
            self._properties += 1
        elif name == "p":
            self._paragraphs.append([])
            self._prefix = ""
        elif name == "tr":
            self._rows.append([])
        elif name == "tc":
            self._cells.append([])
        elif name == "t":
            self._in_text = True
        elif self._properties:
            self._note_style(name, attributes)
        elif name in ("tab", "ptab"):
            self.add("\t")
        elif name in ("br", "cr"):
            self.add("\n")
        elif name == "noBreakHyphen":
            self.add("-")

    def end(self, tag: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        name = _local(tag)
        if name.endswith("Pr"):
            self._properties -= 1
        elif name == "t":
            self._in_text = False
        elif name == "p" and self._paragraphs:
            self._end_paragraph("".join(self._paragraphs.pop()).strip())
        elif name == "tc" and self._rows and self._cells:
            self._rows[-1].append(" ".join(self._cells.pop()))
        elif name == "tr" and self._rows:
            self._put(" | ".join(self._rows.pop()), "\n")
        elif name == "tbl":
            self._put("", "\n")

    def data(self, data: str) -> None:
        if self._in_text and not self._skipping:
            self.add(data)

    def add(self, text: str) -> None:
        if self._paragraphs:
            self._paragraphs[-1].append(text)

    def close(self) -> None:
        return None

    def _note_style(self, name: str, attributes: dict[str, str]) -> None:
        value = next((v for key, v in attributes.items() if _local(key) == "val"), "")
        if name == "pStyle":
            heading = _HEADING.match(value)
            if heading:
                self._prefix = "#" * int(heading.group(1)) + " "
            elif value == "Title":
                self._prefix = "# "
            elif value.startswith("List"):
                self._prefix = _ITEM
        elif name == "numId" and value != "0" and not self._prefix:
            self._prefix = _ITEM

    def _end_paragraph(self, text: str) -> None:
        if text:
            after = "\n" if self._prefix == _ITEM else "\n\n"
            self._put(self._prefix + text, after)
        self._prefix = ""

    def _put(self, text: str, after: str) -> None:
        if not self._cells:
            self._write(text + after)
        elif text:
            self._cells[-1].append(text.replace("\n", " "))


def _unread(name: str, attributes: dict[str, str]) -> bool:
    # `Fallback` repeats its sibling `Choice` for old programs; the number of a slide is
    # no part of its text.
    return name == "Fallback" or (
        name == "fld" and attributes.get("type", "") == "slidenum"
    )
