"""Messages said on a thread, and read back."""

from typing import Any

import httpx2

from tests.engine.talk import call, text

Json = dict[str, Any]


async def say(api: httpx2.AsyncClient, path: str, content: str, **body: Any) -> str:
    """Add a message; its id."""
    sent = {"role": "user", "content": content, **body}
    id: str = (await call(api, "POST", path, json=sent))["id"]
    return id


async def texts(api: httpx2.AsyncClient, path: str, **params: Any) -> list[str]:
    """What the messages say, oldest first."""
    return [text(message) for message in await listed(api, path, **params)]


async def listed(api: httpx2.AsyncClient, path: str, **params: Any) -> list[Json]:
    params = {"order": "asc", "limit": 100, **params}
    data: list[Json] = (await call(api, "GET", path, params=params))["data"]
    return data
