"""The code in a call's arguments, while they are still being written.

A model writes `{"code": "print(1)\\n"}` piece by piece; followers want to see
`print(1)` grow, as the official API shows it.
"""

import json
import re

from runtime.gateway.clean import TextCleaner

_BEFORE = re.compile(r'\s*\{\s*"code"\s*:\s*"')
# As many whole characters as there are; half an escape waits for its other half.
_WHOLE = re.compile(r'(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*')


class CodeInput:
    """Reads one call's arguments as they come.

    Attributes:
        text: the code so far.
    """

    def __init__(self) -> None:
        self.text = ""
        self._held = ""
        self._began = False
        self._ended = False
        self._cleaner = TextCleaner()

    def feed(self, arguments: str) -> str:
        """Take more of the arguments; what they add to the code, often nothing."""
        if self._ended:
            return ""
        self._held += arguments
        if not self._began:
            before = _BEFORE.match(self._held)
            if before is None:
                return ""
            self._began = True
            self._held = self._held[before.end() :]
        return self._say(self._take())

    def end(self, code: str | None) -> str:
        """The rest, once the whole call could be read.

        Args:
            code: what it says, or None if it cannot be read.
        """
        if code is None or not code.startswith(self.text):
            return ""
        return self._say(code[len(self.text) :])

    def _say(self, text: str) -> str:
        self.text += text
        return text

    def _take(self) -> str:
        found = _WHOLE.match(self._held)
        written = found.group() if found else ""
        self._ended = self._held[len(written) : len(written) + 1] == '"'
        self._held = self._held[len(written) :]
        try:
            return self._cleaner.feed(json.loads(f'"{written}"', strict=False))
        except ValueError:
            # An escape that JSON does not know: nobody will be able to run this.
            self._ended = True
            return ""
