"""What an exception means for a file: failed, with a sentence, or tried again."""

from dataclasses import dataclass

from runtime.errors import ApiError
from runtime.files.storage import BytesMissing
from runtime.ingest.parse.document import ParseErrorCode, ParseFailed


class IngestFailed(Exception):
    """The file cannot become searchable; `message` is for the one who uploaded it."""

    def __init__(self, code: ParseErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ParseErrorCode = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Verdict:
    """Code and sentence of a failure, and whether another try may help."""

    code: ParseErrorCode
    message: str
    try_again: bool = False
    # Nobody foresaw it: the log wants the whole traceback.
    is_ours: bool = False


def judge(error: Exception) -> Verdict:
    """What to make of an exception that ended an attempt."""
    if isinstance(error, IngestFailed):
        return Verdict(error.code, error.message)
    if isinstance(error, ParseFailed):
        return Verdict(error.code, error.message, error.code == "server_error")
    if isinstance(error, BytesMissing):
        return Verdict(
            "server_error",
            "The contents of this file are not in the file storage; upload it again.",
        )
    if isinstance(error, ApiError):
        return Verdict("server_error", error.message, try_again=True)
    return Verdict(
        "server_error",
        "The file could not be made searchable because of an error on our side.",
        try_again=True,
        is_ours=True,
    )
