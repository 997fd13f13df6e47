"""The error envelope: every failure of every address answers in this shape."""

from runtime.wire.base import WireModel


class Error(WireModel):
    """What went wrong. All four keys are always sent, null where there is nothing."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(WireModel):
    """`{"error": {message, type, param, code}}`"""

    error: Error
