"""Text from a model, made fit for Postgres and for UTF-8."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class TextCleaner:
    """Cleans a text that arrives in pieces.

    NUL and lone halves of surrogate pairs become U+FFFD. Two halves that a server cut
    apart between two pieces come together again: the first is held back until the
    second is there, so `feed` may give an empty text and `flush` the rest.
    """

    def __init__(self) -> None:
        self._half = ""

    def feed(self, piece: str) -> str:
        """The next piece, clean."""
        if not self._half and piece.isascii():
            return piece.replace("\0", _REPLACEMENT)
        text = self._half + piece
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._half = text[-1]
            text = text[:-1]
        return clean(text)

    def flush(self) -> str:
        """What was still held back."""
        rest, self._half = self._half, ""
        return clean(rest)


def clean(text: str) -> str:
    """A whole text without NUL and lone surrogates; each becomes U+FFFD."""
    text = text.replace("\0", _REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Through UTF-16 and back: pairs are joined, lone halves replaced.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
