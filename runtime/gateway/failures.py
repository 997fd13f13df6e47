"""How asking a model can fail, in words that may be shown to a caller.

One exception serves both readers: a *run* takes `code` and `message` for its
`last_error`, a *request* that passes through takes `as_request_error()`.
"""

from typing import Literal

from runtime.errors import (
    ApiError,
    InvalidRequest,
    NotFound,
    RateLimited,
    UpstreamFailed,
)

FailureCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]

# Statuses with which a server says "not now" rather than "I am broken".
_PATIENCE_STATUSES = frozenset({408, 409, 425, 429})


class ModelFailed(Exception):
    """A model gave no usable answer.

    Attributes:
        code: what a run's `last_error.code` may say.
        message: one or two sentences that are safe to show; never a key.
        status: the upstream's HTTP status, if it came to one.
        retry_after_seconds: how long the upstream asked us to wait.
        retryable: whether the same question may succeed a little later.
        param, reason: the upstream's own `param` and `code`, for those who ask.
    """

    def __init__(
        self,
        message: str,
        *,
        code: FailureCode = "server_error",
        status: int | None = None,
        retry_after_seconds: float | None = None,
        retryable: bool = False,
        param: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: FailureCode = code
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.retryable = retryable
        self.param = param
        self.reason = reason

    @property
    def blames_server(self) -> bool:
        """Whether this speaks against the server's health, not against the question."""
        return self.retryable and self.status not in _PATIENCE_STATUSES

    @property
    def worth_another_model(self) -> bool:
        """Whether another model might answer where this one could not."""
        return self.retryable or self.status == 429


class NoSuchModel(ModelFailed):
    """The upstream is there, and has no model of that name."""

    @property
    def worth_another_model(self) -> bool:
        return True


class ContextExceeded(ModelFailed):
    """The question is longer than the model can read; a shorter one may succeed."""


class CircuitOpen(ModelFailed):
    """Not asked at all: this model failed too often just now."""


def as_request_error(failure: ModelFailed, model: str) -> ApiError:
    """The same failure as the answer to a request that was passed through.

    What the upstream found wrong with the caller's request stays a 400, a limit a 429;
    everything else, the runtime's own refused key too, is a 502.
    """
    if failure.code == "rate_limit_exceeded":
        return RateLimited(
            failure.message,
            code="rate_limit_exceeded",
            retry_after_seconds=failure.retry_after_seconds,
        )
    if failure.code == "invalid_prompt":
        return InvalidRequest(failure.message, param=failure.param, code=failure.reason)
    if isinstance(failure, NoSuchModel):
        return NotFound("model", model)
    return UpstreamFailed(failure.message, code="upstream_failed")
