"""The page at `/`: plain files beside this one, served as they are.

The page has no rights of its own: it is one more client of `/v1`, with the key that its
user types in.
"""

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response

from runtime.api.pages import Pages

# Nothing from elsewhere, nothing inline, sent nowhere: a key is typed in here, and what
# models and files say is shown. Pictures arrive with the key, as blobs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)


def mount(app: FastAPI) -> None:
    """Serve the page at `/`, and what belongs to it below `/playground/`."""
    pages = Pages(Path(__file__).parent, _POLICY)

    async def index(request: Request) -> Response:
        return await pages.get_response("index.html", request.scope)

    app.add_api_route("/", index, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/playground", pages, name="playground")
