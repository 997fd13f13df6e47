"""What a file really is, by its bytes, whatever its name says."""

import codecs
from pathlib import Path

from runtime.ingest.parse.archive import open_archive
from runtime.ingest.parse.document import ParseFailed, invalid

_HEAD_BYTES = 4096
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # old Office, and new Office encrypted
_PDF = b"%PDF-"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

_OFFICE_PARTS = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
}

_FOREIGN = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"RIFF", "a RIFF media file"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg media file"),
    (b"fLaC", "a FLAC recording"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet table"),
    (b"{\\rtf", "an RTF document"),
)
# Signatures of plain letters could begin an honest text; binaries have a NUL soon after.
_LETTERS_ONLY = (b"MZ", b"GIF8", b"RIFF", b"ID3", b"OggS", b"fLaC", b"BZh", b"PAR1")

_NAMES = {
    "pdf": "PDF",
    "docx": "Word document",
    "pptx": "PowerPoint presentation",
    "xlsx": "Excel workbook",
}


def actual_kind(path: Path, extension: str, expected: str) -> str:
    """The kind to read the file as: what it holds, else what its name promises.

    A PDF or Office file under another supported name is read as what it is.

    Raises:
        ParseFailed: `invalid_file` when the file is not what its name says, is empty
            or protected by a password; `unsupported_file` for old Office formats.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise invalid("The file is empty.")
    if _is_pdf(head, expected):
        return "pdf"
    if head.startswith(_ZIP):
        return _office_kind(path, extension)
    if head.startswith(_OLE):
        raise _old_or_encrypted(path)
    foreign = _foreign(head)
    if foreign:
        raise _not_as_named(extension, foreign)
    if expected in _NAMES:
        raise invalid(
            f"The file is named .{extension} but is no {_NAMES[expected]}; it is "
            "damaged, or something else under a wrong name."
        )
    return expected


def _is_pdf(head: bytes, expected: str) -> bool:
    # A PDF may have junk before its mark; a text may speak of the mark.
    if expected in _NAMES:
        return _PDF in head[:1024]
    return head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(_PDF)


def _office_kind(path: Path, extension: str) -> str:
    with open_archive(path) as archive:
        names = set(archive.namelist())
    for part, kind in _OFFICE_PARTS.items():
        if part in names:
            return kind
    raise _not_as_named(extension, "a zip archive")


def _old_or_encrypted(path: Path) -> ParseFailed:
    # An encrypted Office file is an OLE container around this one stream; its
    # directory, which names it in UTF-16, may lie anywhere.
    if "EncryptedPackage".encode("utf-16-le") in path.read_bytes():
        return invalid(
            "The file is protected by a password; remove the protection and upload it "
            "again."
        )
    return ParseFailed(
        "unsupported_file",
        "The file is in the Office format from before 2007, which is not supported; "
        "save it as .docx, .xlsx or .pptx and upload that.",
    )


def _foreign(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "a video or image in an MP4 container"
    for signature, name in _FOREIGN:
        if head.startswith(signature) and (
            signature not in _LETTERS_ONLY or b"\x00" in head
        ):
            return name
    return ""


def _not_as_named(extension: str, found: str) -> ParseFailed:
    if not extension:
        return ParseFailed(
            "unsupported_file", f"The file is {found}, which is not supported."
        )
    return invalid(f"The file is named .{extension} but is {found}.")
