"""Pages for people: plain files, served as they are, shut off from everywhere else."""

import os
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # The names never change, so a browser asks each time; 304 is the usual answer.
    "cache-control": "no-cache",
}


class Pages(StaticFiles):
    """A folder without its Python, and with headers that keep its pages to themselves."""

    def __init__(self, folder: Path, policy: str) -> None:
        """
        Args:
            policy: the `content-security-policy` of each file.
        """
        super().__init__(directory=folder)
        self._headers = {**_HEADERS, "content-security-policy": policy}

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
        response.headers.update(self._headers)
        if response.status_code == status_code:  # a 304 has no content to speak of
            # Said here: what the machine's own table calls JavaScript varies.
            response.headers["content-type"] = _MEDIA_TYPES[Path(full_path).suffix]
        return response
