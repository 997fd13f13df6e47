"""Exceptions → OpenAI's envelope: the only place that knows both."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from runtime.api import idempotency
from runtime.api.azure import asked_path
from runtime.errors import (
    ApiError,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchRoute,
    TooLarge,
    UnsupportedMediaType,
)
from runtime.wire.errors import Error, ErrorResponse
from runtime.wire.refusals import explain

# What FastAPI says of any failure but bad syntax.
_UNREADABLE = "There was an error parsing the body"


def render_error(
    error: ApiError, more_headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The response that says what went wrong."""
    envelope = ErrorResponse(
        error=Error(
            message=error.message, type=error.type, param=error.param, code=error.code
        )
    )
    headers = dict(more_headers or {})
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_seconds)))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(envelope.model_dump(), error.status, headers)


def install(app: FastAPI) -> None:
    """Answer every failure of `app` in the envelope."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    # No failure, but it leaves in the same way, so that what has begun is undone.
    app.add_exception_handler(idempotency.Replay, idempotency.replay)


async def _on_api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # it is installed for nothing else
    return render_error(error)


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return render_error(InvalidRequest("The body is not valid JSON."))
    if first["type"] == "model_attributes_type" and len(first["loc"]) == 1:
        return render_error(_not_an_object(request))
    return render_error(explain(error.errors(), error.body, skip=1))


def _not_an_object(request: Request) -> ApiError:
    media_type = request.headers.get("content-type", "")
    if "json" not in media_type:
        return UnsupportedMediaType(
            "The body must be JSON, with 'Content-Type: application/json'; this "
            f"request says '{media_type[:100] or 'nothing'}'."
        )
    return InvalidRequest("The body must be a JSON object.")


def _allowed(request: Request) -> str:
    # Starlette tells the verbs of the first route only, and each of ours has one.
    routes = [
        route
        for route in iter_route_contexts(request.app.routes)
        if route.methods and route.path_regex.match(request.scope["path"])
    ]
    if not routes:  # below a page for people, where there are only files
        return "GET, HEAD"
    # The first that fits: `/threads/runs`, not `/threads/{thread_id}`.
    alike = [route.methods or () for route in routes if route.path == routes[0].path]
    return ", ".join(sorted({verb for verbs in alike for verb in verbs}))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404:
        where = f"{request.method} {asked_path(request)}"[:200]
        return render_error(NoSuchRoute(f"Unknown request URL: {where}."))
    if error.status_code == 405:
        return render_error(
            MethodNotAllowed(
                f"Not allowed to {request.method} on {asked_path(request)[:200]}."
            ),
            {"allow": _allowed(request)},
        )
    if error.status_code == 413:
        return render_error(TooLarge(detail))
    if error.status_code == 400 and detail == _UNREADABLE:
        detail = (
            "The body is not JSON that can be read: it is not UTF-8, nested too deep, "
            "or holds a number that is too large."
        )
    return render_error(InvalidRequest(detail))
