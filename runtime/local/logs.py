"""What children write: into a bounded file each, and to the terminal when asked.

`<data dir>/logs/<name>.log`, at most 10 MB and one predecessor (`.log.1`), so that logs
never fill the disk of a machine nobody looks at. The terminal stays calm: it shows what the
supervisor says, and the last words of a child that died; `up --logs` shows every line.
"""

import os
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

_FILE_LIMIT_BYTES = 10 * 1024 * 1024
_LONGEST_LINE_BYTES = 64 * 1024
_LAST_WORDS = 12


class Log:
    """The log of one child: takes bytes as they come, cuts them into lines."""

    def __init__(self, path: Path, *, name: str, to_terminal: bool) -> None:
        self._path = path
        self._prefix = f"{name:<15} │ "
        self._to_terminal = to_terminal
        self._rest = b""
        self._last: deque[str] = deque(maxlen=_LAST_WORDS)
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Take what the child has written, in whatever pieces."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._take(line)

    def last_words(self) -> str:
        """Its last lines, for somebody who asks why it died."""
        return "\n".join(f"    {line}" for line in self._last)

    def close(self) -> None:
        """The child has ended; keep what it wrote without a line end."""
        if self._rest:
            self._take(self._rest)
        self._file.close()

    def _take(self, line: bytes) -> None:
        # A full disk costs log lines, not the runtime.
        with suppress(OSError):
            if self._file.tell() > _FILE_LIMIT_BYTES:
                self._turn_over()
            self._file.write(line + b"\n")
        text = line.decode(errors="replace").rstrip()
        self._last.append(text)
        if self._to_terminal:
            say(self._prefix + text)

    def _turn_over(self) -> None:
        self._file.close()
        os.replace(self._path, f"{self._path}.1")
        self._file = self._path.open("ab", buffering=0)


def say(words: str) -> None:
    """Write a line to the terminal; a terminal that is gone is no reason to stop."""
    try:
        print(words, flush=True)
    except OSError:
        # Whoever read us has left; what follows must not fail at every line.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - lives as long as the process
