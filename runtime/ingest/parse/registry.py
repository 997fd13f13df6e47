"""Which kinds of file can be read, how they are told apart, and what reads each.

A kind is known by the file's extension; what the file holds may overrule it
(`sniff.py`). Beyond what OpenAI's file search takes come tables, and the source and
configuration files that are text anyway.
"""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from runtime.ingest.parse.document import ParseFailed, TextBuilder

Reader = Callable[[Path, TextBuilder], None]
"""Reads the file at a path into the builder, or raises `ParseFailed`."""

# Names, not functions: a process that reads a text file never loads a PDF library.
_READERS = {
    "text": "runtime.ingest.parse.text:read_text",
    "html": "runtime.ingest.parse.html:read_html",
    "csv": "runtime.ingest.parse.sheets:read_csv",
    "pdf": "runtime.ingest.parse.pdf:read_pdf",
    "docx": "runtime.ingest.parse.office:read_docx",
    "pptx": "runtime.ingest.parse.office:read_pptx",
    "xlsx": "runtime.ingest.parse.sheets:read_xlsx",
}

_TEXT_EXTENSIONS = (
    # OpenAI's file search.
    "c cpp cs css go java js json md php py rb sh tex ts txt "
    # More of the same kind.
    "adoc bash bat bib cc cfg clj conf cxx dart diff env erl ex exs f90 gradle graphql "
    "h hpp hs ini ipynb jl jsonc jsonl jsx kt kts less log lua m markdown mjs ml ndjson "
    "org patch pl properties proto ps1 r rs rst scala scss sql srt svelte swift tf toml "
    "tsx vb vtt vue xml yaml yml zig"
)

EXTENSIONS: dict[str, str] = {
    **dict.fromkeys(_TEXT_EXTENSIONS.split(), "text"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(("csv", "tsv"), "csv"),
    "pdf": "pdf",
    "docx": "docx",
    "docm": "docx",
    "pptx": "pptx",
    "pptm": "pptx",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
}
"""Every supported extension, lower case and without its dot, and its kind."""

_SAVE_AS = {
    "doc": "docx",
    "rtf": "docx",
    "odt": "docx",
    "pages": "docx",
    "xls": "xlsx",
    "ods": "xlsx",
    "numbers": "xlsx",
    "ppt": "pptx",
    "odp": "pptx",
    "key": "pptx",
}

_EXTENSION = re.compile(r"[^./\\]\.([A-Za-z0-9_+-]{1,16})$")


def extension_of(filename: str) -> str:
    """The extension in lower case without its dot; empty if there is none to speak of.

    `.env` is a name without an extension, and so is `Makefile`.
    """
    found = _EXTENSION.search(filename.strip())
    return found.group(1).lower() if found else ""


def expected_kind(extension: str) -> str:
    """The kind an extension stands for; a name without one may be text.

    Raises:
        ParseFailed: `unsupported_file`, with what would help.
    """
    if not extension:
        return "text"
    if extension in EXTENSIONS:
        return EXTENSIONS[extension]
    if extension in _SAVE_AS:
        better = _SAVE_AS[extension]
        advice = f"save the file as .{better} and upload that."
    else:
        advice = (
            "supported are PDF, Word (.docx), PowerPoint (.pptx), Excel (.xlsx), CSV, "
            "HTML, Markdown, plain text and source code."
        )
    raise ParseFailed(
        "unsupported_file", f"Files of type .{extension} are not supported; {advice}"
    )


def load_reader(kind: str) -> Reader:
    """Import what reads this kind, and only that."""
    module, _, function = _READERS[kind].partition(":")
    return cast(Reader, getattr(import_module(module), function))
