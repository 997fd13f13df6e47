"""What a benchmark found: figures beside their floors and targets, as tables or JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

_HEADERS = ("", "measured", "floor", "× floor", "target", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number, in `unit`.

    Attributes:
        floor: what the same machine does with the least that could do the job, measured
            in the same run; None where there is no such thing.
        target: what the project has promised.
        more_is_better: rates; else less is.
    """

    what: str
    value: float
    unit: str
    floor: float | None = None
    target: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times the floor: of time or memory; of a rate, which part."""
        return None if not self.floor else self.value / self.floor

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        if self.more_is_better:
            return self.value >= self.target
        return self.value <= self.target


@dataclass(frozen=True, slots=True)
class Detail:
    """A table beside the figures, ready to be shown."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(slots=True)
class Report:
    """What one benchmark found.

    Attributes:
        floor: what its floor is, in a sentence.
        notes: what one must know to read the figures.
    """

    title: str
    floor: str = ""
    figures: list[Figure] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, **rest: Any) -> None:
        """Add a figure; `rest` as in `Figure`."""
        self.figures.append(Figure(what=what, value=value, unit=unit, **rest))

    def show(self, console: Console) -> None:
        """Print the tables."""
        table = Table(title=self.title, title_justify="left", title_style="bold")
        for at, header in enumerate(_HEADERS):
            table.add_column(header, justify="right" if at else "left")
        for figure in self.figures:
            table.add_row(*_cells(figure))
        console.print()
        if self.figures:
            console.print(table)
        else:
            console.print(f"[bold]{self.title}[/]")
        if self.floor:
            console.print(f"Floor: {self.floor}", style="dim", markup=False)
        for note in self.notes:
            console.print(note, style="dim", markup=False)
        for detail in self.details:
            _show_detail(detail, console)

    def as_json(self) -> dict[str, Any]:
        """The same for programs: each figure with its ratio and whether it is met."""
        figures = [
            {**asdict(figure), "ratio": figure.ratio, "met": figure.met}
            for figure in self.figures
        ]
        details = [asdict(detail) for detail in self.details]
        return {
            "title": self.title,
            "floor": self.floor,
            "figures": figures,
            "details": details,
            "notes": self.notes,
        }


def _cells(figure: Figure) -> list[str]:
    verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[figure.met]
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2g}"
    if figure.ratio is not None and figure.ratio >= 100:
        ratio = f"{figure.ratio:.0f}"
    return [
        figure.what,
        f"{number(figure.value)} {figure.unit}",
        "" if figure.floor is None else f"{number(figure.floor)} {figure.unit}",
        ratio,
        "" if figure.target is None else f"{number(figure.target)} {figure.unit}",
        verdict,
    ]


def number(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _show_detail(detail: Detail, console: Console) -> None:
    table = Table(title=detail.title, title_justify="left", title_style="")
    for at, column in enumerate(detail.columns):
        table.add_column(column, justify="right" if at else "left")
    for row in detail.rows:
        table.add_row(*row)
    console.print(table)
