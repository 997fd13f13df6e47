"""Make the demonstration's files again: `python -m runtime.cli.demo.make_files`.

The handbook is set from `handbook.md`; the ferries' year comes from a seeded generator.
Both are the same bytes each time, and a test compares them with what is committed.
"""

import csv
import io
import math
import random
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from fpdf import FPDF

_HERE = Path(__file__).parent
_YEAR = 2024
_MARGIN_MM = 24
_INK, _ACCENT, _PALE = (30, 34, 40), (18, 82, 120), (120, 128, 136)


class _Handbook(FPDF):
    def footer(self) -> None:
        self.set_y(-16)
        self.set_font("Helvetica", size=8)
        self.set_text_color(*_PALE)
        self.cell(0, 6, f"Norrvik Ferries, Crew Handbook, page {self.page_no()}")


def handbook() -> bytes:
    """The handbook as a PDF, A4."""
    pdf = _Handbook()
    pdf.set_creation_date(datetime(2024, 1, 1, tzinfo=UTC))
    pdf.set_title("Norrvik Ferries: Crew Handbook")
    pdf.set_lang("en")
    pdf.set_margin(_MARGIN_MM)
    pdf.set_auto_page_break(True, margin=_MARGIN_MM)
    pdf.add_page()
    for block in (_HERE / "handbook.md").read_text().strip().split("\n\n"):
        _set(pdf, block)
    return bytes(pdf.output())


def _set(pdf: FPDF, block: str) -> None:
    if block.startswith("# "):
        pdf.set_font("Helvetica", "B", 24)
        pdf.set_text_color(*_ACCENT)
        pdf.multi_cell(0, 11, block[2:], align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(6)
    elif block.startswith("## "):
        # A heading does not stay behind alone at the foot of a page.
        if pdf.will_page_break(45):
            pdf.add_page()
        pdf.ln(4)
        pdf.set_font("Helvetica", "B", 14)
        pdf.set_text_color(*_ACCENT)
        pdf.multi_cell(0, 8, block[3:], align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(1)
    else:
        pdf.set_font("Times", size=12)
        pdf.set_text_color(*_INK)
        pdf.multi_cell(0, 6.4, block, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)


def ferry_year() -> bytes:
    """A year of the ferries, a row a day, by the handbook's rules."""
    chance = random.Random(_YEAR)
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(
        [
            "date",
            "crossings",
            "cancelled",
            "passengers",
            "vehicles",
            "wind_ms",
            "fuel_litres",
        ]
    )
    day = date(_YEAR, 1, 1)
    while day.year == _YEAR:
        rows.writerow([day.isoformat(), *_day(day, chance)])
        day += timedelta(days=1)
    return out.getvalue().encode()


def _day(day: date, chance: random.Random) -> tuple[int, int, int, int, float, int]:
    summer = max(0.0, math.sin(math.tau * (day.timetuple().tm_yday - 106) / 366))
    planned = 22 if 5 <= day.month <= 9 else 14
    # Weibull is what wind speeds are like; winters blow harder.
    wind = chance.weibullvariate(9.8 - 3.2 * summer, 2.1)
    cancelled = min(planned, round(max(0.0, wind - 14.5) * planned / 6))
    crossings = planned - cancelled
    weekend = 1.25 if day.weekday() in (4, 6) else 1.0
    crowd = (38 + 62 * summer**1.5) * weekend * chance.uniform(0.85, 1.15)
    passengers = round(crossings * crowd)
    vehicles = round(passengers * chance.uniform(0.26, 0.34))
    # Head seas cost fuel, and one of the four ships burns none.
    fuel = round(crossings * 74 * 0.75 * (1 + wind / 90) * chance.uniform(0.97, 1.03))
    return crossings, cancelled, passengers, vehicles, round(wind, 1), fuel


def main() -> None:
    """Write both files below the given directory, or where the demonstration has them."""
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else _HERE / "files"
    (where / "crew-handbook.pdf").write_bytes(handbook())
    (where / "ferries-2024.csv").write_bytes(ferry_year())


if __name__ == "__main__":
    main()
