"""Real files, honest and hostile, made when a test wants them; and their parsing."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from fpdf import FPDF
from pptx.util import Inches

from runtime.ingest.parse.document import Document, ParseFailed, ParseLimits
from runtime.ingest.parse.process import parse_file

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))
PROGRAM = b"MZ\x90\x00\x03\x00\x00\x00\x04" + bytes(200)


def pdf(*pages: str, password: str = "") -> bytes:
    document = FPDF()
    document.set_font("helvetica", size=12)
    for text in pages:
        document.add_page()
        if text:
            document.multi_cell(0, text=text)
    if password:
        document.set_encryption(owner_password="owner", user_password=password)
    return bytes(document.output())


def pdf_of_objects(*objects: bytes) -> bytes:
    """A PDF from its objects' bodies, numbered from 1; the first is the catalogue."""
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d /Root 1 0 R>>\n"
        b"startxref\n%d\n%%%%EOF" % (size, table, size, len(out))
    )


def pdf_without_pages() -> bytes:
    return pdf_of_objects(
        b"<</Type /Catalog /Pages 2 0 R>>", b"<</Type /Pages /Kids [] /Count 0>>"
    )


def pdf_flate_bomb(unpacked_bytes: int) -> bytes:
    """One page whose content is that many blanks, packed twice."""
    packer = zlib.compressobj(9)
    blanks = b" " * (1 << 20)
    once = b"".join(packer.compress(blanks) for _ in range(unpacked_bytes >> 20))
    packed = zlib.compress(once + packer.flush(), 9)
    return pdf_of_objects(
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R>>",
        b"<</Length %d /Filter [/FlateDecode /FlateDecode]>>\nstream\n%s\nendstream"
        % (len(packed), packed),
    )


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Harbour rules", 1)
    document.add_paragraph("Ships wait outside.")
    document.add_paragraph("No fires", style="List Bullet")
    table = document.add_table(2, 2)
    for row, values in zip(table.rows, (("Pier", "Depth"), ("A", "9 m")), strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    document.add_paragraph("After the table.")
    return _saved(document)


def word_with_body(body: str) -> bytes:
    """A Word file with the given XML as its body."""
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    compatible = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    return archive(
        {
            "word/document.xml": (
                f'<w:document xmlns:w="{space}" xmlns:mc="{compatible}"><w:body>'
                f"{body}</w:body></w:document>"
            ).encode()
        }
    )


def slides() -> bytes:
    deck = pptx.Presentation()
    for title, text in (("First", "Hello there."), ("Second", "Numbers:")):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = text
    shape = slide.shapes.add_table(1, 2, Inches(1), Inches(4), Inches(4), Inches(1))
    shape.table.cell(0, 0).text, shape.table.cell(0, 1).text = "left", "right"
    slide.notes_slide.notes_text_frame.text = "Speak slowly."
    # The order shown is not the order of the files' names.
    ids = deck.slides._sldIdLst
    ids.append(ids[0])
    return _saved(deck)


def workbook(**sheets: Sequence[Sequence[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return _saved(book)


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def encrypted_office() -> bytes:
    """An OLE container whose directory names the stream that encrypted files have."""
    magic = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    return magic + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(512)


def _saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]  # three libraries, one method
    return buffer.getvalue()


def write(folder: Path, data: bytes) -> Path:
    path = folder / "upload"  # stored files have no telling name
    path.write_bytes(data)
    return path


async def parse(
    tmp_path: Path, data: bytes, name: str, limits: ParseLimits | None = None
) -> Document:
    """Parse bytes as an upload of that name."""
    return await parse_file(write(tmp_path, data), name, limits)


async def failure(
    tmp_path: Path, data: bytes, name: str, limits: ParseLimits | None = None
) -> ParseFailed:
    """Parse bytes that give no text; how that was said."""
    with pytest.raises(ParseFailed) as caught:
        await parse(tmp_path, data, name, limits)
    assert caught.value.message.endswith(".")
    return caught.value
