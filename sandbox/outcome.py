"""What callers get back, and how text from inside is made fit to keep and show."""

import re
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, cast

from sandbox import protocol

Status = Literal["ok", "error", "timeout", "out_of_memory", "crashed"]

# Escape sequences (CSI, OSC, two-byte ones), then every control but newline and tab.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Image:
    """A picture that the code has shown, as the bytes of a PNG file."""

    data: bytes


@dataclass(frozen=True)
class ProducedFile:
    """A file that the call has written or changed; `name` is relative to `/mnt/data`."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Outcome:
    """How a call ended and all that it has shown.

    `logs` holds standard output and error, the traceback, the last value and our own
    notes (in square brackets), in order. `variables_lost`: the Python process is a new
    one since this call. `replayed`: the call had run before and was not run again.
    `gone` names files that were in `/mnt/data` before the call and are not any more, as
    far as it is known: at most 256, and none when the sandbox itself has ended.
    """

    status: Status
    logs: str
    images: list[Image] = field(default_factory=list)
    files: list[ProducedFile] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    variables_lost: bool = False
    replayed: bool = False


@dataclass(frozen=True)
class Session:
    """The container of a session, as of now.

    `epoch` names this very container: another epoch means other variables and files.
    `fresh` is true when the container was assigned by this very request. `files` maps
    the names in `/mnt/data` to their sizes in bytes.
    """

    epoch: str
    fresh: bool
    files: dict[str, int]


@dataclass(frozen=True)
class Health:
    """Whether code can be run, and if not, why, in sentences that name the remedy."""

    ok: bool
    sentences: list[str]


CRASHED = Outcome(
    status="crashed",
    logs="[The sandbox ended unexpectedly: all variables were lost.]",
    variables_lost=True,
)

# The guest keeps its own limit; this is the host's, should the guest be stuck.
OVERDUE = Outcome(
    status="timeout",
    logs="[Stopped: the sandbox did not keep its time limit and was removed: "
    "all variables were lost.]",
    variables_lost=True,
)


def clean_text(text: str) -> str:
    """Text as a terminal would leave it: no escapes, controls or lone surrogates.

    A line rewritten with carriage returns (a progress bar) keeps its last state.
    """
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    # Not one expression over it all: a long line would take a square of its length.
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("", "\n".join(lines))


def read_outcome(frame: protocol.Frame, images: list[bytes]) -> Outcome:
    """An outcome frame of the guest, believed only as far as it is well formed."""
    status = frame.get("status")
    logs = frame.get("logs")
    return Outcome(
        status=cast(Status, status) if status in protocol.OUTCOMES else "crashed",
        logs=clean_text(logs) if isinstance(logs, str) else "",
        images=[Image(data) for data in images if data.startswith(_PNG)],
        files=_read_files(frame.get("files")),
        gone=_read_names(frame.get("gone")),
        variables_lost=frame.get("variables_lost") is True,
        replayed=frame.get("replayed") is True,
    )


def write_outcome(outcome: Outcome) -> protocol.Frame:
    """What `read_outcome` reads; the pictures go apart."""
    return {
        "status": outcome.status,
        "logs": outcome.logs,
        "files": [[file.name, file.size_bytes] for file in outcome.files],
        "gone": outcome.gone,
        "variables_lost": outcome.variables_lost,
        "replayed": outcome.replayed,
    }


def _read_files(files: object) -> list[ProducedFile]:
    if not isinstance(files, list):
        return []
    claimed = [
        ProducedFile(entry[0], entry[1])
        for entry in files[: protocol.MAX_FILES]
        if isinstance(entry, list)
        and len(entry) == 2
        and protocol.is_clean_name(entry[0], folders=True)
        and is_size(entry[1])
    ]
    sums = accumulate(file.size_bytes for file in claimed)
    # The guest keeps to this, and says in the logs what it left out.
    return [
        file
        for file, together in zip(claimed, sums, strict=True)
        if together <= protocol.MAX_PRODUCED_BYTES
    ]


def _read_names(names: object) -> list[str]:
    if not isinstance(names, list):
        return []
    return [
        name
        for name in names[: protocol.MAX_GONE]
        if protocol.is_clean_name(name, folders=True)
    ]


def read_sizes(files: object) -> dict[str, int]:
    """A listing of the guest: names that are names, with sizes that are sizes."""
    if not isinstance(files, dict):
        return {}
    return {
        name: size
        for name, size in list(files.items())[: protocol.MAX_LISTED_FILES]
        if protocol.is_clean_name(name, folders=True) and is_size(size)
    }


def is_size(value: object) -> bool:
    """Whether this is a number of bytes (`True` is not)."""
    return type(value) is int and value >= 0
