"""How the demonstration looks: calm on a terminal, plain lines anywhere else."""

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.text import Text

_INDENT = "   "
_LABEL_WIDTH = 10
_WIDEST = 92


class Show:
    """Says what happens. Nothing it is given is read as markup or wrapped in a pipe."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        self._console = Console(stderr=to_stderr, highlight=False, markup=False)
        self._wraps = self._console.is_terminal

    def title(self, words: str) -> None:
        """The first line."""
        self._print(Text(words, style="bold"))

    def part(self, name: str, words: str) -> None:
        """Where a part begins."""
        self._print(Text.assemble(f"\n{name}", (f"  {words}", "dim"), style="bold"))

    def fact(self, label: str, words: str, *, style: str = "") -> None:
        """A labelled line."""
        head = f"{_INDENT}{label:<{_LABEL_WIDTH}} "
        lines = self._wrapped(words, len(head))
        for number, line in enumerate(lines):
            start = head if number == 0 else " " * len(head)
            self._print(Text.assemble((start, "dim"), (line, style)))

    def said(self, words: str, *, style: str = "") -> None:
        """A text of several lines: a question, an answer."""
        for line in words.splitlines():
            for piece in self._wrapped(line, len(_INDENT)):
                self._print(Text(f"{_INDENT}{piece}".rstrip(), style=style))

    def good(self, words: str) -> None:
        """What was checked, and is so."""
        self.fact("✓ checked", words, style="green")

    def bad(self, words: str) -> None:
        """Why a part did not happen."""
        self.fact("✗ failed", words, style="red")

    @contextmanager
    def waiting(self, words: str) -> Iterator[None]:
        """A sign of life on a terminal during the block."""
        with self._console.status(Text(f"{words} …", style="dim")):
            yield

    @contextmanager
    def answering(self) -> Iterator[Callable[[str], None]]:
        """Shows an answer as it is written: the block is given what takes its pieces."""
        at_line_start = True

        def show(piece: str) -> None:
            nonlocal at_line_start
            for line in piece.splitlines(keepends=True):
                # An empty line needs no indent, and not before we know it is empty.
                indent = _INDENT if at_line_start and line.strip() else ""
                self._console.print(f"{indent}{line}", end="", soft_wrap=True)
                at_line_start = line.endswith("\n")

        yield show
        self._console.print()

    @contextmanager
    def sending(self) -> Iterator[Callable[[Path], BinaryIO]]:
        """Progress of uploads: the block is given what opens a file and watches it."""
        columns = (
            TextColumn(f"{_INDENT}{{task.description}}", markup=False),
            BarColumn(bar_width=24),
            DownloadColumn(),
        )
        with Progress(
            *columns, console=self._console, disable=not self._wraps
        ) as progress:
            yield lambda path: progress.open(path, "rb", description=path.name)

    def _wrapped(self, words: str, indent: int) -> list[str]:
        if not self._wraps:
            return [words]
        width = max(20, min(self._console.width, _WIDEST) - indent)
        return textwrap.wrap(words, width) or [""]

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)
