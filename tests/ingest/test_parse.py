"""Plain text, and names: every file ends as good text or as a sentence that helps."""

from pathlib import Path

import pytest

from runtime.ingest.parse.document import Document, ParseFailed
from runtime.ingest.parse.process import parse_file
from runtime.ingest.parse.registry import EXTENSIONS, load_reader
from tests.ingest import making
from tests.ingest.making import failure, parse


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
)
async def test_text_is_read_in_whatever_charset_it_is(
    tmp_path: Path, encoding: str
) -> None:
    text = "Die Größe der Straße ist für Fußgänger übrigens unverändert.\n" * 5

    document = await parse(tmp_path, text.encode(encoding), "notiz.txt")

    assert document == Document(text, None)


async def test_japanese_in_a_legacy_charset_is_recognised(tmp_path: Path) -> None:
    text = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 5

    document = await parse(tmp_path, text.encode("shift_jis"), "neko.txt")

    assert document.text == text


async def test_a_few_damaged_bytes_do_not_turn_utf8_into_something_else(
    tmp_path: Path,
) -> None:
    data = ("Žluťoučký kůň. " * 50).encode() + b"\xff" + " přílišný".encode()

    document = await parse(tmp_path, data, "kun.md")

    assert document.text.startswith("Žluťoučký kůň. ")
    assert document.text.endswith("\ufffd přílišný")


async def test_text_is_clean_and_otherwise_as_it_was(tmp_path: Path) -> None:
    raw = "a\r\nb\rc\fd\x1b[0m e\u0301 \ufeffend".encode("utf-16-le")
    lone_surrogate = b"\x00\xd8"

    document = await parse(tmp_path, b"\xff\xfe" + raw + lone_surrogate, "a.log")

    assert document.text == "a\nb\nc\nd[0m e\u0301 end\ufffd"


async def test_a_few_nuls_are_taken_out(tmp_path: Path) -> None:
    data = b"A log line.\n" * 50 + b"\x00\x00\x00"

    document = await parse(tmp_path, data, "a.log")

    assert document.text == "A log line.\n" * 50


async def test_astral_characters_count_once(tmp_path: Path) -> None:
    document = await parse(tmp_path, "🎉x".encode(), "a.txt")

    assert len(document.text) == 2


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n ", b"\xef\xbb\xbf"])
async def test_a_file_of_nothing_is_invalid(tmp_path: Path, data: bytes) -> None:
    found = await failure(tmp_path, data, "empty.txt")

    assert found.code == "invalid_file"
    assert found.message in ("The file is empty.", "The file holds no text.")


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (making.PNG, "a.txt", "The file is named .txt but is a PNG image."),
        (making.PROGRAM, "a.pdf", "The file is named .pdf but is a Windows program."),
        (bytes(range(256)) * 9, "a.md", "The file holds binary data, not text."),
        (b"text\x00with NUL " * 50, "a.md", "The file holds binary data, not text."),
        (b"\xef\xbb\xbf" + bytes(range(256)) * 9, "a.md", "binary data, not text."),
        (making.archive({"a": b"b"}), "a.docx", "is named .docx but is a zip archive."),
        (b"just words", "a.xlsx", "is named .xlsx but is no Excel workbook"),
        (b"just words", "a.pdf", "is named .pdf but is no PDF"),
    ],
)
async def test_a_file_that_is_not_what_its_name_says_is_invalid(
    tmp_path: Path, data: bytes, name: str, message: str
) -> None:
    found = await failure(tmp_path, data, name)

    assert found.code == "invalid_file"
    assert message in found.message


async def test_words_that_look_like_a_signature_are_still_text(tmp_path: Path) -> None:
    document = await parse(tmp_path, b"MZ is how RIFF files do not begin.", "a.txt")

    assert document.text.startswith("MZ is")


@pytest.mark.parametrize("name", ["a.md", "a.html", "a.csv", "a"])
async def test_a_text_may_speak_of_a_pdfs_signature(tmp_path: Path, name: str) -> None:
    document = await parse(tmp_path, b"Each begins with `%PDF-1.7`.", name)

    assert document.text.startswith("Each begins")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("old.doc", "save the file as .docx"),
        ("old.XLS", "save the file as .xlsx"),
        ("photo.png", "Files of type .png are not supported"),
        ("setup.exe", "Files of type .exe are not supported"),
    ],
)
async def test_other_types_are_unsupported_and_say_what_helps(
    tmp_path: Path, name: str, message: str
) -> None:
    found = await failure(tmp_path, b"data", name)

    assert found.code == "unsupported_file"
    assert message in found.message


async def test_old_office_files_under_a_new_name_are_unsupported(
    tmp_path: Path,
) -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)

    found = await failure(tmp_path, data, "a.docx")

    assert found.code == "unsupported_file"
    assert "from before 2007" in found.message


@pytest.mark.parametrize(
    "name", ["Makefile", ".env", "a/b\\c 'd' \"e\" 🎉.TXT", "no.ext ension", "\x00.md"]
)
async def test_odd_names_do_no_harm(tmp_path: Path, name: str) -> None:
    assert (await parse(tmp_path, b"all: test", name)).text == "all: test"


async def test_a_file_that_is_not_there_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(ParseFailed) as caught:
        await parse_file(tmp_path / "gone", "a.txt")

    assert caught.value.code == "server_error"


def test_every_kind_has_its_reader() -> None:
    assert all(callable(load_reader(kind)) for kind in set(EXTENSIONS.values()))
