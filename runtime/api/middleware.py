"""Around every request: an id, the time it took, a limit to its body.

Pure ASGI: Starlette's convenience class would run each response through a queue of its
own, and a stream with it.
"""

import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.api.errors import render_error
from runtime.errors import (
    ApiError,
    NoSuchRoute,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from runtime.ids import new_id
from runtime.observability.metrics import HTTP_REQUESTS, HTTP_SECONDS
from runtime.projects.models import Project
from runtime.projects.service import authenticate
from runtime.resources import Resources
from runtime.wire.uploads import MAX_PART_BYTES

log = structlog.get_logger()

_SORRY = "The server had an error while processing your request. Sorry about that!"
_MEGABYTE = 1024 * 1024
_LARGEST_JSON_BYTES = 32 * _MEGABYTE
# What a multipart body holds beside the file itself.
_FORM_BYTES = _MEGABYTE
# A part of an upload has a limit of its own, whatever a whole file's may be.
_FILES = "/v1/files"
_PARTS = re.compile(r"/v1/uploads/[^/]+/parts")
_METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"})


class Envelope:
    """Gives each answer `x-request-id`, `openai-processing-ms`, `openai-version`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = new_id("req")
        structlog.contextvars.bind_contextvars(request_id=request_id)

        answered = False

        async def send_with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                headers = MutableHeaders(scope=message)
                seconds = time.perf_counter() - started
                headers["x-request-id"] = request_id
                headers["openai-processing-ms"] = str(round(seconds * 1000))
                headers["openai-version"] = "2020-10-01"
                _count(scope, message["status"], seconds)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("caller hung up", path=scope["path"])
        except Exception:
            # Here and not in a handler of FastAPI's, which stands outside of us: the
            # line and the answer would have no id.
            log.exception("request failed", path=scope["path"])
            if answered:
                raise
            await render_error(ApiError(_SORRY))(scope, receive, send_with_headers)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")


def _count(scope: Scope, status: int, seconds: float) -> None:
    # The template, not the path: ids would make a series each.
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    HTTP_REQUESTS.labels(method, route, status).inc()
    HTTP_SECONDS.labels(route).observe(seconds)


class Gate:
    """Turns away who has no good key, and what has too many bytes, before the body is read.

    The project that the key opens is put into the request's state. Bytes are counted as
    they come, so a chunked body meets the limit too.
    """

    def __init__(self, app: ASGIApp, max_file_bytes: int) -> None:
        self._app = app
        self._max_file_bytes = max_file_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._limit(scope)
        try:
            secret = _secret(headers)
            _check_length(headers, limit)
            _check_encoding(headers)
            scope.setdefault("state", {})["project"] = await _project(scope, secret)
            _check_path(scope)
        except ApiError as error:
            await render_error(error)(scope, receive, send)
            return
        counted = 0
        overflown = answered = False

        async def receive_counted() -> Message:
            nonlocal counted, overflown
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > limit:
                overflown = True
                raise _too_large(limit)
            return message

        async def send_noted(message: Message) -> None:
            nonlocal answered
            # FastAPI calls whatever goes wrong with a body a 400; we know better.
            if answered or not overflown:
                answered = True
                await send(message)

        try:
            await self._app(scope, receive_counted, send_noted)
        except TooLarge:
            if answered:
                raise
        if overflown and not answered:
            await render_error(_too_large(limit))(scope, receive, send)

    def _limit(self, scope: Scope) -> int:
        # By the address: whatever a caller says its body is, others read it whole.
        if scope["path"] == _FILES:
            return self._max_file_bytes + _FORM_BYTES
        if _PARTS.fullmatch(scope["path"]):
            return MAX_PART_BYTES + _FORM_BYTES
        return _LARGEST_JSON_BYTES


def _secret(headers: Headers) -> str:
    if azure_key := headers.get("api-key", "").strip():
        # Sent on purpose. A bearer beside it belongs to a proxy, or is a placeholder.
        return azure_key
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated(
            "You didn't provide an API key. Send it in an Authorization header: "
            "'Authorization: Bearer YOUR_KEY', or 'api-key: YOUR_KEY'."
        )
    return secret.strip()


async def _project(scope: Scope, secret: str) -> Project:
    # A transaction of its own: a route that waits for a model holds no connection.
    resources: Resources = scope["app"].state.resources
    async with resources.db.transaction() as session:
        return await authenticate(session, secret)


def _check_path(scope: Scope) -> None:
    # No id holds one, and Postgres could not even be asked for it.
    if "\0" in scope["path"]:
        shown = scope["path"].replace("\0", "\\0")[:200]
        raise NoSuchRoute(f"Unknown request URL: {scope['method']} {shown}.")


def _check_length(headers: Headers, limit: int) -> None:
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)


def _check_encoding(headers: Headers) -> None:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise UnsupportedMediaType(
            f"Content-Encoding '{encoding[:100]}' is not read here; send the body as it "
            "is."
        )


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit // _MEGABYTE} MB, the limit here.")
