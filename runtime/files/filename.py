"""A caller's file name, made fit to be shown, sent in a header and put in a folder."""

import unicodedata

from runtime.errors import InvalidRequest
from runtime.wire.base import refuse_unstorable

# Bytes of UTF-8: what Linux allows a name in the sandbox's folder.
MAX_FILENAME_BYTES = 255


def clean_filename(name: str, *, param: str = "file") -> str:
    """The last part of a path, without control characters.

    Quotes, emoji and spaces stay. A browser's and the SDK's form writes `%22` for a
    quote, which is undone here.

    Args:
        param: the request's field that it came in, for the error.

    Raises:
        InvalidRequest: nothing of a name is left, it is too long (255 bytes of UTF-8),
            or it holds what cannot be stored (NUL, half a surrogate pair).
    """
    try:
        refuse_unstorable(name)
    except ValueError as error:
        raise InvalidRequest(f"Invalid file name: {error}", param=param) from error
    name = name.replace("%22", '"').replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(c for c in name if unicodedata.category(c) != "Cc").strip()
    if name in ("", ".", ".."):
        raise InvalidRequest("The file has no usable name.", param=param)
    if len(name.encode()) > MAX_FILENAME_BYTES:
        raise InvalidRequest(
            f"The file's name is longer than {MAX_FILENAME_BYTES} bytes.", param=param
        )
    return name
