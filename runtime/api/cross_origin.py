"""Pages of any origin may call `/v1`, as they may call OpenAI: apps that live in a browser.

That is safe because nothing here is opened by a cookie: who has no key sees refusals.
What is for operators and for people (`/metrics`, the playground) stays with its own
origin.
"""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

# What the official clients read of an answer; browsers hide all that is not named.
_SHOWN = (
    "x-request-id",
    "openai-processing-ms",
    "openai-poll-after-ms",
    "retry-after",
    "idempotency-replayed",
)
_PREFLIGHT_SECONDS = 600


class CrossOrigin:
    """Answers preflights, and lets pages read what the API says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST", "DELETE"],
            # The SDKs send a dozen of their own.
            allow_headers=["*"],
            expose_headers=_SHOWN,
            max_age=_PREFLIGHT_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_api = scope["type"] == "http" and scope["path"].startswith("/v1/")
        await (self._open if is_api else self._app)(scope, receive, send)
