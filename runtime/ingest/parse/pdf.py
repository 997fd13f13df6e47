"""PDF, by pdfium: fast, permissively licensed, and it knows pages."""

import re
from pathlib import Path

import pypdfium2
from pypdfium2 import raw

from runtime.ingest.parse.document import ParseFailed, TextBuilder, invalid

_NO_PAGES = re.compile(rb"/Count\s+0\b")


def read_pdf(path: Path, out: TextBuilder) -> None:
    """Read the text layer, page by page.

    A page that cannot be read counts as empty as long as another has text.

    Raises:
        ParseFailed: `invalid_file` for a PDF that is encrypted, damaged, without pages
            or without text.
    """
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise _why(path, error) from error
    with_text = broken = 0
    for number in range(1, len(document) + 1):
        with out.page(number):
            try:
                text = _page_text(document, number - 1)
            except pypdfium2.PdfiumError:
                broken += 1
                continue
            with_text += not text.isspace() and text != ""
            out.write(text)
    if with_text:
        return
    if broken:
        raise invalid("The PDF is damaged; none of its pages can be read.")
    if len(document):
        raise invalid(
            "The PDF has no text layer; its pages are probably scanned images. Run text "
            "recognition (OCR) over it and upload the result."
        )
    raise invalid("The PDF has no pages.")


def _page_text(document: pypdfium2.PdfDocument, index: int) -> str:
    page = document[index]
    text_page = page.get_textpage()
    try:
        return str(text_page.get_text_range())
    finally:
        text_page.close()
        page.close()


def _why(path: Path, error: pypdfium2.PdfiumError) -> ParseFailed:
    if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return invalid(
            "The PDF is protected by a password; remove the protection and upload it "
            "again."
        )
    # For pdfium a document without pages is a format error like any other.
    if _NO_PAGES.search(path.read_bytes()):
        return invalid("The PDF has no pages.")
    return invalid("The PDF is damaged or was cut short; it cannot be opened.")
