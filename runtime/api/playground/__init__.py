"""The page at `/`: plain files beside this one, served as they are.

The page has no rights of its own: it is one more client of `/v1`, with the key that its
user types in.
"""

import os
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

_FOLDER = Path(__file__).parent
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    # Nothing from elsewhere, nothing inline, sent nowhere: a key is typed in here, and
    # what models and files say is shown. Pictures arrive with the key, as blobs.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # The names never change, so a browser asks each time; 304 is the usual answer.
    "cache-control": "no-cache",
}


class _Pages(StaticFiles):
    """The folder without its Python, and with our headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if Path(path).suffix not in _MEDIA_TYPES:
            raise HTTPException(404)
        return await super().get_response(path, scope)

    def file_response(
        self,
        full_path: PathLike,
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_HEADERS)
        if response.status_code == status_code:  # a 304 has no content to speak of
            # Said here: what the machine's own table calls JavaScript varies.
            response.headers["content-type"] = _MEDIA_TYPES[Path(full_path).suffix]
        return response


def mount(app: FastAPI) -> None:
    """Serve the page at `/`, and what belongs to it below `/playground/`."""
    pages = _Pages(directory=_FOLDER)

    async def index(request: Request) -> Response:
        return await pages.get_response("index.html", request.scope)

    app.add_api_route("/", index, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/playground", pages, name="playground")
