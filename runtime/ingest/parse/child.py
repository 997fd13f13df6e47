"""The process that reads one file, and may die of it.

No parser is safe: a PDF of one megabyte can abort pdfium, an Office file can ask for four
gigabytes. So each file is read by a process of its own that has already given up what
it must not have: it is started by `process.py` without our environment, and limits
its own memory and time before it looks at the file.

    python -m runtime.ingest.parse.child PARENT_PID PATH EXTENSION LIMITS

The answer on stdout is one line of JSON, `{"pages": [[number, start, end], …] | null}`
followed by the text, or `{"error": [code, message, detail]}`.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from runtime.ingest.parse.document import (
    Document,
    ParseFailed,
    ParseLimits,
    TextBuilder,
    invalid,
)
from runtime.ingest.parse.registry import expected_kind, load_reader
from runtime.ingest.parse.sniff import actual_kind

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, path, extension, limits_json = sys.argv[1:]
    limits = ParseLimits(**json.loads(limits_json))
    answer = _take_stdout()
    _die_with_parent(int(parent))
    _limit(limits)
    _answer(answer, _read(Path(path), extension, limits))


def _read(path: Path, extension: str, limits: ParseLimits) -> Document | ParseFailed:
    try:
        path.open("rb").close()
    except OSError as error:
        return ParseFailed(
            "server_error", "The stored file could not be read.", repr(error)
        )
    try:
        kind = actual_kind(path, extension, expected_kind(extension))
        out = TextBuilder(limits.text_characters)
        load_reader(kind)(path, out)
        document = out.document()
        if not document.text or document.text.isspace():
            return invalid("The file holds no text.")
        return document
    except ParseFailed as failure:
        return failure
    except MemoryError:
        return _too_much_memory(limits)
    except Exception as error:  # noqa: BLE001 - libraries raise anything on bad files
        # The type is for our logs; the message is not, it may quote the file.
        return invalid("The file is damaged; it cannot be read.", type(error).__name__)


def _too_much_memory(limits: ParseLimits) -> ParseFailed:
    return invalid(
        f"Reading the file took more than {limits.memory_bytes >> 20} MB of memory, so "
        "it was given up.",
        "memory",
    )


def _answer(file: int, outcome: Document | ParseFailed) -> None:
    header: dict[str, Any]
    text = ""
    if isinstance(outcome, ParseFailed):
        header = {"error": [outcome.code, outcome.message, outcome.detail]}
    else:
        pages = outcome.pages
        header = {"pages": pages and [(p.number, p.start, p.end) for p in pages]}
        text = outcome.text
    with os.fdopen(file, "wb") as pipe:
        pipe.write(json.dumps(header).encode() + b"\n")
        pipe.write(text.encode())
    # Straight out: nothing is left to do, and libraries may crash while cleaning up.
    os._exit(0)


def _take_stdout() -> int:
    """Keep stdout for the answer; what a library prints goes nowhere."""
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return answer


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(1)


def _limit(limits: ParseLimits) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(
        resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1)
    )
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))


if __name__ == "__main__":
    main()
