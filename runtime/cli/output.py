"""How commands speak: results on stdout, complaints on stderr, JSON when asked."""

import json
import sys
from collections.abc import Sequence
from typing import Any


class CommandFailed(Exception):
    """A plain sentence; the command ends with status 1."""


def complain(words: str) -> None:
    """Say what went wrong."""
    print(f"assistants: {words}", file=sys.stderr)


def print_json(value: Any) -> None:
    """One JSON document, for a script."""
    print(json.dumps(value, indent=2, default=str))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their longest cell."""
    lines = [tuple(head), *rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
