"""The frames between the host and the supervisor inside a container.

One frame is one JSON object on one line. The host writes to the supervisor's standard
input, the supervisor answers on its standard output, both over the engine's attach
stream. Each request carries a fresh `id`; every answer repeats it. The requests:

    hello                               -> facts about the restrictions, pid 1's clock
    exec  call code timeout_seconds     -> image* then outcome
    interrupt call                      -> done
    put   name upload data first last   -> done          (one block of a file)
    drop  upload                        -> done          (an upload given up)
    get   name offset length            -> done data eof (one block of a file)
    list                                -> done files
    preload                             -> done          (import the heavy packages early)

Any request may be answered by `failed` with a `reason` in words. Neither side trusts a
frame: this module holds the limits both keep to. Standard library only, because it is
also part of the image.
"""

import json
import unicodedata
from typing import Any

Frame = dict[str, Any]

DATA_FOLDER = "/mnt/data"

BLOCK_BYTES = 256 * 1024  # of a file, per frame, before base64
MAX_CODE_BYTES = 1024 * 1024
MAX_OUTPUT_BYTES = 256 * 1024  # what a model can read, many times over
MAX_IMAGE_BYTES = 4 * 1024 * 1024
MAX_IMAGES = 10
MAX_FILES = 64  # reported as produced by one call
MAX_FILE_BYTES = 128 * 1024 * 1024
# Of all files of a call together: a sparse file is as large as it likes to say.
MAX_PRODUCED_BYTES = 256 * 1024 * 1024
MAX_GONE = 256  # names that are reported as removed by one call
MAX_LISTED_FILES = 2000
MAX_NAME_BYTES = 255  # what Linux takes for one name
MAX_FOLDER_DEPTH = 8
# The largest honest frame is an image: base64 makes four bytes of three.
MAX_FRAME_BYTES = MAX_IMAGE_BYTES * 4 // 3 + 64 * 1024

INTERRUPT_GRACE_SECONDS = 3.0  # between asking code to stop and killing it

OUTCOMES = frozenset({"ok", "error", "timeout", "out_of_memory", "crashed"})


class FrameError(Exception):
    """The other side sent something that no frame can be."""


def encode(frame: Frame) -> bytes:
    """One frame as a line of ASCII."""
    return json.dumps(frame, separators=(",", ":")).encode("ascii") + b"\n"


class FrameReader:
    """Cuts a stream of bytes into frames.

    A line that is not a JSON object is dropped: after a re-attach the first line may be
    the tail of an old frame.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`, in order.

        Raises:
            FrameError: a line is longer than any honest frame.
        """
        searched = len(self._pending)
        self._pending += data
        frames: list[Frame] = []
        while (end := self._pending.find(b"\n", searched)) >= 0:
            searched = 0
            line = bytes(self._pending[:end])
            del self._pending[: end + 1]
            if len(line) > self._max_frame_bytes:
                raise FrameError("a frame is longer than the limit")
            frame = _parse(line)
            if frame is not None:
                frames.append(frame)
        if len(self._pending) > self._max_frame_bytes:
            raise FrameError("a frame is longer than the limit")
        return frames


def _parse(line: bytes) -> Frame | None:
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def is_clean_name(name: object, *, folders: bool = False) -> bool:
    """Whether `name` can name a file in `/mnt/data` and be shown to people.

    With `folders`, a relative path of up to `MAX_FOLDER_DEPTH` such names is one too.
    """
    if not isinstance(name, str):
        return False
    parts = name.split("/") if folders else [name]
    return len(parts) <= MAX_FOLDER_DEPTH and all(map(_is_clean_part, parts))


def _is_clean_part(part: str) -> bool:
    if part in ("", ".", "..") or "/" in part:
        return False
    # Cc: controls, Cs: lone surrogates (bytes that are no UTF-8).
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in part):
        return False
    return len(part.encode("utf-8")) <= MAX_NAME_BYTES


def safe_name(name: str) -> str:
    """A file name that `/mnt/data` takes, as near to `name` as can be.

    Slashes and controls become underscores, an overlong name loses its middle and keeps
    its extension. A usable name is returned as it is.
    """
    letters = (
        "_" if letter == "/" or unicodedata.category(letter) in ("Cc", "Cs") else letter
        for letter in name
    )
    clean = "".join(letters).strip()
    if clean in ("", ".", ".."):
        return "file"
    if _is_clean_part(clean):
        return clean
    stem, dot, extension = clean.rpartition(".")
    if not dot or len(extension.encode()) > 20:
        stem, dot, extension = clean, "", ""
    room = MAX_NAME_BYTES - len((dot + extension).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + extension
