"""Azure's way to ask for the same: `/openai/…`, deployments, `api-version`, `api-key`.

Its addresses are ours under other names, so they are renamed before anybody looks at
them. Nothing behind this file knows of Azure, but for two things: the gate takes a key
from `api-key` too, and a refusal that names an address names the one that was asked.
"""

import re
from urllib.parse import quote

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

# `/openai/v1` is Azure's newer base; `/v1` is here for an Azure client given that base.
_BASE = re.compile(r"(?:/openai(?:/v1)?|/v1)(?=/)")
# A model's name may hold slashes, which come decoded: what follows it tells its end.
_MODEL_CALL = re.compile(r"/deployments/(.+?)(/chat/completions|/embeddings)")
# A client that was given a deployment may name it in front of everything.
_OTHER_CALL = re.compile(r"/deployments/[^/]+(/.+)")


class Azure:
    """Renames Azure's addresses to ours; `api-version` is dropped, whatever it says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        base = _BASE.match(scope["path"]) if scope["type"] == "http" else None
        if base is not None:
            scope = _renamed(scope, scope["path"][base.end() :])
        await self._app(scope, receive, send)


def asked_path(request: Request) -> str:
    """The path as the caller wrote it."""
    path: str = getattr(request.state, "asked_path", request.url.path)
    return path


async def take_deployment(request: Request) -> None:
    """Let the deployment that the address names be the model, as Azure does.

    What the body says of a model is not looked at, there as here.
    """
    model = getattr(request.state, "deployment", None)
    if model is None:
        return
    try:
        # Starlette reads it once: the route is given this same object.
        body = await request.json()
    except (ValueError, RecursionError):
        return  # the route says what is wrong with it
    if isinstance(body, dict):
        body["model"] = model


def _renamed(scope: Scope, rest: str) -> Scope:
    state = {**scope.get("state", {}), "asked_path": scope["path"]}
    if call := _MODEL_CALL.fullmatch(rest):
        state["deployment"], rest = call.groups()
    elif call := _OTHER_CALL.fullmatch(rest):
        rest = call[1]
    query = [
        part
        for part in scope["query_string"].split(b"&")
        if part.partition(b"=")[0] != b"api-version"
    ]
    path = f"/v1{rest}"
    return {
        **scope,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": b"&".join(query),
        "state": state,
    }
