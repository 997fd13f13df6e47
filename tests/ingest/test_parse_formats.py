"""PDF, Office, tables and HTML: what is kept, and how a failure is said."""

from datetime import date, datetime
from pathlib import Path

import pytest

from runtime.ingest.parse.document import ParseLimits
from runtime.ingest.parse.process import parse_file
from tests.ingest import making
from tests.ingest.making import failure, parse

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"


async def test_a_pdf_knows_where_its_pages_lie(tmp_path: Path) -> None:
    data = making.pdf("The first page.", "", "The third, naïve page.")

    document = await parse(tmp_path, data, "a.pdf")

    assert document.pages is not None
    assert [(p.number, document.text[p.start : p.end]) for p in document.pages] == [
        (1, "The first page."),
        (2, ""),
        (3, "The third, naïve page."),
    ]


async def test_a_word_hyphenated_by_the_layout_is_whole_again(tmp_path: Path) -> None:
    data = making.pdf("word " * 17 + "internationali\u00adzation")

    document = await parse(tmp_path, data, "a.pdf")

    assert "internationalization" in document.text


@pytest.mark.parametrize(
    ("before", "name"),
    [(b"", "a.txt"), (b"\xef\xbb\xbf\n ", "a.txt"), (b"junk\n", "a.pdf")],
)
async def test_a_pdf_is_read_as_one_under_another_name_and_behind_junk(
    tmp_path: Path, before: bytes, name: str
) -> None:
    document = await parse(tmp_path, before + making.pdf("Hello."), name)

    assert document.text.strip() == "Hello."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (making.pdf(""), "has no text layer"),
        (making.pdf("Secret.", password="p"), "protected by a password"),
        (making.pdf_without_pages(), "The PDF has no pages."),
        (making.pdf("Text.")[:400], "damaged or was cut short"),
        (b"%PDF-1.7\n", "damaged or was cut short"),
    ],
)
async def test_a_pdf_that_cannot_be_read_says_why(
    tmp_path: Path, data: bytes, message: str
) -> None:
    found = await failure(tmp_path, data, "a.pdf")

    assert found.code == "invalid_file"
    assert message in found.message


async def test_a_pdf_that_unpacks_without_end_only_kills_its_reader(
    tmp_path: Path,
) -> None:
    bomb = making.pdf_flate_bomb(1 << 30)
    assert len(bomb) < 10_000

    limits = ParseLimits(memory_bytes=256 << 20)

    found = await failure(tmp_path, bomb, "a.pdf", limits)

    assert found.code == "invalid_file"


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
async def test_a_real_paper_is_read(tmp_path: Path) -> None:
    document = await parse_file(SAMPLES / "bitcoin.pdf", "bitcoin.pdf")

    assert document.pages is not None and len(document.pages) == 9
    second = document.pages[1]
    assert "chain of digital signatures" in document.text[second.start : second.end]


async def test_word_keeps_headings_lists_and_tables_in_order(tmp_path: Path) -> None:
    document = await parse(tmp_path, making.word(), "a.docx")

    assert document.text.strip() == (
        "# Harbour rules\n\nShips wait outside.\n\n- No fires\n"
        "Pier | Depth\nA | 9 m\n\nAfter the table."
    )


async def test_no_text_of_a_word_file_is_lost_for_what_is_around_it(
    tmp_path: Path,
) -> None:
    body = """
      <w:sdt><w:sdtContent><w:p><w:r><w:t>In a control.</w:t></w:r></w:p></w:sdtContent></w:sdt>
      <w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:r><w:t>Kept</w:t></w:r>
        <w:ins><w:r><w:t xml:space="preserve"> inserted</w:t></w:r></w:ins>
        <w:del><w:r><w:delText> deleted</w:delText></w:r></w:del>
        <w:hyperlink><w:r><w:tab/><w:t>linked</w:t></w:r></w:hyperlink></w:p>
      <w:p><w:r><mc:AlternateContent>
        <mc:Choice><w:txbxContent><w:p><w:r><w:t>Boxed.</w:t></w:r></w:p></w:txbxContent></mc:Choice>
        <mc:Fallback><w:p><w:r><w:t>Boxed.</w:t></w:r></w:p></mc:Fallback>
      </mc:AlternateContent></w:r><w:r><w:t>Outside.</w:t></w:r></w:p>
      <w:tbl><w:tr><w:tc><w:p><w:r><w:t>Outer</w:t></w:r></w:p>
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>inner</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
      </w:tc></w:tr></w:tbl>"""

    document = await parse(tmp_path, making.word_with_body(body), "a.docx")

    assert document.text.strip() == (
        "In a control.\n\nKept inserted\tlinked\n\nBoxed.\n\nOutside.\n\nOuter inner"
    )


async def test_slides_are_pages_in_the_order_shown_with_their_notes(
    tmp_path: Path,
) -> None:
    document = await parse(tmp_path, making.slides(), "a.pptx")

    assert document.pages is not None
    first, second = (document.text[p.start : p.end] for p in document.pages)
    assert first.split("\n\n")[:2] == ["Second", "Numbers:"]
    assert "left | right" in first
    assert "Notes:\nSpeak slowly." in first
    assert second.strip() == "First\n\nHello there."


async def test_rows_of_a_sheet_name_their_values(tmp_path: Path) -> None:
    data = making.workbook(
        Crew=[
            ["Crew of the Aurora"],
            [],
            ["name", "born", "seen", "share", "note"],
            ["Ada", date(1990, 5, 1), datetime(2024, 1, 2, 3, 4), 0.1 + 0.2, None],
            ["Bo", None, None, 3, "two\nlines"],
        ],
        Empty=[],
        Plain=[[1, 2], [3, 4]],
    )

    document = await parse(tmp_path, data, "a.xlsx")

    assert document.text.strip() == (
        "# Crew\n\nCrew of the Aurora\n"
        "name: Ada; born: 1990-05-01; seen: 2024-01-02 03:04:00; share: 0.3\n"
        "name: Bo; share: 3; note: two lines\n\n\n"
        "# Plain\n\n1\t2\n3\t4"
    )
    assert document.pages is not None
    assert [page.number for page in document.pages] == [1, 3]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_csv_is_read_with_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    text = 'name,"full, note"\r\nAda,"said ""hi, all"""\r\nBo,\r\n'
    data = text.replace(",", delimiter).encode()

    document = await parse(tmp_path, data, "a.csv")

    note, said = f"full{delimiter} note", f'said "hi{delimiter} all"'
    expected = f"name: Ada; {' '.join(note.split())}: {' '.join(said.split())}\n"
    assert document.text == expected + "name: Bo\n"


async def test_a_csv_without_columns_is_just_text(tmp_path: Path) -> None:
    assert (await parse(tmp_path, b"one\ntwo\n", "a.csv")).text == "one\ntwo\n"


async def test_a_very_long_cell_is_no_problem(tmp_path: Path) -> None:
    document = await parse(tmp_path, b"a,b\n1," + b"x" * 500_000, "a.csv")

    assert document.text.endswith("; b: " + "x" * 500_000 + "\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (making.encrypted_office(), "protected by a password"),
        (making.word()[:2000], "damaged or was cut short"),
        (making.word_with_body("<w:p>"), "no valid XML"),
        (making.word_with_body(""), "The file holds no text."),
        (making.archive({"word/document.xml": bytes(50 << 20)}), "as a zip bomb does"),
        (making.archive({"xl/workbook.xml": b"<a/>"}), "damaged"),
    ],
)
async def test_an_office_file_that_cannot_be_read_says_why(
    tmp_path: Path, data: bytes, message: str
) -> None:
    found = await failure(tmp_path, data, "a.docx")

    assert found.code == "invalid_file"
    assert message in found.message


async def test_html_reads_as_a_reader_sees_it(tmp_path: Path) -> None:
    page = b"""<!doctype html><html><head><title>Ports</title><style>p {}</style>
      <script>var a = "<p>no</p>";</script></head><body><h2>Of <i>ice</i></h2>
      <p>Fish &amp; ships,<br>one
      line. <img src=x alt="A pier"></p><ul><li>First<li>Second</ul>
      <table><tr><th>Pier<th>Depth<tr><td>A<td>9 m</table><pre>  a
    b</pre><noscript>Switch it on</noscript><svg><text>no</text></svg>End"""

    document = await parse(tmp_path, page, "a.html")

    assert document.text == (
        "Ports\n\n## Of ice\n\nFish & ships,\none line. A pier\n\n- First\n- Second\n\n"
        "Pier | Depth\nA | 9 m\n\n  a\n    b\n\nEnd"
    )


@pytest.mark.parametrize("encoding", ["iso-8859-2", "utf-8"])
async def test_a_declared_charset_counts_if_it_is_true(
    tmp_path: Path, encoding: str
) -> None:
    page = '<meta charset="iso-8859-2"><p>Příliš žluťoučký kůň.'

    declared = page if encoding != "utf-8" else page.replace("iso-8859-2", "us-ascii")
    document = await parse(tmp_path, declared.encode(encoding), "a.htm")

    assert document.text == "Příliš žluťoučký kůň."


async def test_deeply_nested_html_is_read_like_any_other(tmp_path: Path) -> None:
    page = b"<div>" * 200_000 + b"deep" + b"</div>" * 200_000

    assert (await parse(tmp_path, page, "a.html")).text == "deep"
