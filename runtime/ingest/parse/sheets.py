"""Tables: CSV files and Excel workbooks, row by row.

A row becomes one line, `species: Adelie; island: Torgersen; mass: 3750`. A chunk from
the middle of a table then still says what its numbers are, for keywords, for vectors and
for the model that reads it; bare values would need the header, which lies in another
chunk. It costs tokens, and empty cells cost none. A table without a header row keeps
its values, parted by tabs.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from itertools import chain, islice
from pathlib import Path
from typing import Any

from runtime.ingest.parse.archive import open_archive
from runtime.ingest.parse.document import TextBuilder
from runtime.ingest.parse.text import load_text

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
_HEADER_WITHIN_ROWS = 10  # titles and blank rows may stand above the header
_MAX_HEADER_CHARACTERS = 100


def read_csv(path: Path, out: TextBuilder) -> None:
    """Read a table of comma, semicolon, tab or bar separated values."""
    text = load_text(path, out.max_characters)
    csv.field_size_limit(max(len(text), 1))  # its own limit is 128 kB a cell
    delimiter = _delimiter(text)
    if delimiter is None:
        out.write(text)  # no table after all: a column of notes, say
        return
    _write_rows(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), out)


def read_xlsx(path: Path, out: TextBuilder) -> None:
    """Read every sheet that has cells, each as a page under its title.

    Formulas give the value that was last computed and saved with the file.
    """
    import openpyxl

    with open_archive(path):  # for its checks
        pass
    # As an open file, because openpyxl judges a path by its extension.
    with path.open("rb") as file:
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
        _write_sheets(workbook.worksheets, out)


def _write_sheets(sheets: Iterable[Any], out: TextBuilder) -> None:
    for number, sheet in enumerate(sheets, 1):
        # The size a sheet declares may be all 17 billion cells; go by its rows.
        sheet.reset_dimensions()
        rows = (
            [_cell_text(value) for value in row]
            for row in sheet.iter_rows(values_only=True)
        )
        first = next((row for row in rows if any(row)), None)
        if first is None:
            continue
        with out.page(number):
            out.write(f"# {sheet.title}\n\n")
            _write_rows(chain([first], rows), out)


def _delimiter(text: str) -> str | None:
    """The delimiter that gives the most lines the same number of columns, if any."""
    lines = list(islice(io.StringIO(text, newline=""), _SAMPLE_LINES))

    def agreeing(delimiter: str) -> int:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        return sum(width == widths[0] for width in widths) if widths[0] > 1 else 0

    best = max(_DELIMITERS, key=agreeing) if text.strip() else ","
    return best if agreeing(best) else None


def _write_rows(rows: Iterable[Sequence[str]], out: TextBuilder) -> None:
    filled = (row for row in map(_tidy, rows) if any(row))
    head = list(islice(filled, _HEADER_WITHIN_ROWS))
    header_at = _find_header(head)
    if header_at is None:
        for row in chain(head, filled):
            out.write("\t".join(row).rstrip("\t") + "\n")
        return
    for row in head[:header_at]:
        out.write(" ".join(filter(None, row)) + "\n")
    header = head[header_at]
    for row in chain(head[header_at + 1 :], filled):
        out.write("; ".join(_named_values(header, row)) + "\n")


def _find_header(head: Sequence[Sequence[str]]) -> int | None:
    """The row that names the columns: filled, distinct, no numbers, rows below it."""
    width = max(map(len, head), default=0)
    for index, row in enumerate(head[:-1]):
        names = [name for name in row if name]
        if len(names) < max(2, width / 2):
            continue  # a title above the table
        good = len(set(names)) == len(names) and not any(map(_is_number, names))
        short = all(len(name) <= _MAX_HEADER_CHARACTERS for name in names)
        return index if good and short else None
    return None


def _named_values(header: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    for index, value in enumerate(row):
        if value:
            name = header[index] if index < len(header) else ""
            yield f"{name}: {value}" if name else value


def _tidy(row: Sequence[str]) -> list[str]:
    return [" ".join(value.split()) for value in row]


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").rstrip("%"))
    except ValueError:
        return False
    return True


def _cell_text(value: object) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.15g}"  # as Excel shows it: 0.3, not 0.30000000000000004
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime():
            return value.isoformat(" ", "seconds")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)
