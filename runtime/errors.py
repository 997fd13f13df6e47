"""Every way a request can fail.

    ApiError
    ├── InvalidRequest          400  the request is wrong; `param` names the field
    │   └── IllegalMove         400  the thing is not in a state that allows this
    ├── Unauthenticated         401  no key, or a wrong one
    ├── NotFound                404  no such thing in this project
    ├── NoSuchRoute             404  no such address
    ├── MethodNotAllowed        405
    ├── KeyInUse                409  a request with this idempotency key is being worked on
    ├── TooLarge                413
    ├── UnsupportedMediaType    415
    ├── RateLimited             429  try again after `retry_after_seconds`
    ├── UpstreamFailed          502  the model server did not answer usefully
    └── Unavailable             503  database or another part is away for the moment

Each carries what OpenAI's envelope needs; `api/errors.py` is the one place that renders
it. A *run* that fails is no error but an outcome, written on its row as `last_error`.
"""

import contextlib
from collections.abc import Iterator


class ApiError(Exception):
    """A failed request, in the terms of OpenAI's error envelope."""

    status = 500
    type = "server_error"
    # When to try again where whoever raises it does not know better.
    usual_retry_seconds: float | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_seconds = retry_after_seconds or self.usual_retry_seconds


@contextlib.contextmanager
def within(place: str) -> Iterator[None]:
    """Let an error that names a field name it as it stands in `place`: of several
    messages, the one that is wrong."""
    try:
        yield
    except ApiError as error:
        if error.param is not None:
            error.param = f"{place}.{error.param}"
        raise


class InvalidRequest(ApiError):
    """The request is wrong; the message helps to right it."""

    status = 400
    type = "invalid_request_error"


class IllegalMove(InvalidRequest):
    """The thing exists but its state does not allow what was asked."""


class Unauthenticated(ApiError):
    """No key came with the request, or one that we do not know."""

    status = 401
    type = "invalid_request_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_api_key")


class NotFound(ApiError):
    """No such thing in this project. Another project's things are not found either."""

    status = 404
    type = "invalid_request_error"

    def __init__(self, noun: str, id: str, *, param: str | None = None) -> None:
        # An id is the caller's own text: shown short, so that a wild one stays readable.
        super().__init__(
            f"No {noun} found with id '{id[:128]}'.", param=param, code="not_found"
        )


class NoSuchRoute(ApiError):
    """The address names nothing this API has."""

    status = 404
    type = "invalid_request_error"


class MethodNotAllowed(ApiError):
    """The address is right, the verb is not."""

    status = 405
    type = "invalid_request_error"


class KeyInUse(ApiError):
    """A request with the same idempotency key is being worked on; try again soon.

    OpenAI's clients try a 409 again by themselves.
    """

    status = 409
    type = "invalid_request_error"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is still being worked on. Send it again "
            "in a moment, with the same key, and you get its answer.",
            param="Idempotency-Key",
            code="idempotency_key_in_use",
            retry_after_seconds=1,
        )


class TooLarge(ApiError):
    """The body or file is larger than the limit that the message names."""

    status = 413
    type = "invalid_request_error"


class UnsupportedMediaType(ApiError):
    """The body is not in a form this address takes."""

    status = 415
    type = "invalid_request_error"


class RateLimited(ApiError):
    """Too much at once; try again after `retry_after_seconds`."""

    status = 429
    type = "rate_limit_error"
    usual_retry_seconds = 1.0


class UpstreamFailed(ApiError):
    """The model server could not be reached or gave no usable answer."""

    status = 502
    type = "server_error"


class Unavailable(ApiError):
    """A part we need (database, engine) is away; nothing was done; try again."""

    status = 503
    type = "server_error"
    usual_retry_seconds = 1.0
