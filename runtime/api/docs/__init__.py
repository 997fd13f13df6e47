"""The page at `/docs`: Swagger UI over `/openapi.json`, both served from here.

FastAPI's own page fetches its script from a CDN: without the internet it stays blank,
and with it, a stranger's code runs where a key is typed in.
"""

from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response

from runtime.api.pages import Pages

# Swagger UI colours its parts by inline styles, and draws its icons as data.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def mount(app: FastAPI) -> None:
    """Serve the page at `/docs`, and what belongs to it below `/docs/`."""
    pages = Pages(Path(__file__).parent, _POLICY)
    swagger_ui = Pages(_swagger_ui_folder(), _POLICY)

    async def index(request: Request) -> Response:
        return await pages.get_response("index.html", request.scope)

    app.add_api_route("/docs", index, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/docs/swagger-ui", swagger_ui, name="swagger-ui")
    app.mount("/docs", pages, name="docs")


def _swagger_ui_folder() -> Path:
    # The package is wanted for its files; none of its code is imported.
    spec = find_spec("fastapi_swagger")
    assert spec is not None and spec.origin is not None  # one of our dependencies
    return Path(spec.origin).parent / "resources"
