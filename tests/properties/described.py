"""Our own description of the API, and what it says an answer may be."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from runtime.api.app import create_app
from runtime.settings import Settings

DOCUMENT: dict[str, Any] = create_app(Settings(_env_file=None)).openapi()

# Described, for it can happen; but not here, where every part is up.
_NEVER = 503


@dataclass(frozen=True, slots=True)
class Operation:
    """One of ours, as it is described.

    Attributes:
        ids: the names of the ids in its address.
        queries: the names that its query may have.
        media_types: what its body may be; none: it has no body.
        statuses: what it may answer.
    """

    id: str
    verb: str
    path: str
    ids: tuple[str, ...]
    queries: tuple[str, ...]
    media_types: tuple[str, ...]
    statuses: frozenset[int] = field(repr=False)


def _operations() -> Iterator[Operation]:
    for path, verbs in DOCUMENT["paths"].items():
        for verb, described in verbs.items():
            parameters = [p for p in described.get("parameters", ()) if "in" in p]
            yield Operation(
                id=described["operationId"],
                verb=verb.upper(),
                path=path,
                ids=tuple(p["name"] for p in parameters if p["in"] == "path"),
                queries=tuple(p["name"] for p in parameters if p["in"] == "query"),
                media_types=tuple(described.get("requestBody", {}).get("content", ())),
                statuses=frozenset(map(int, described["responses"])),
            )


ALL = list(_operations())
OPERATIONS = [operation for operation in ALL if operation.path.startswith("/v1/")]


def check_answer(response: httpx2.Response, statuses: frozenset[int]) -> None:
    """Assert that an answer has one of these statuses, and that a refusal says why."""
    assert response.status_code in statuses - {_NEVER}, response.status_code
    assert response.headers["x-request-id"]
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/json"
        error = response.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert 0 < len(error["message"]) < 1_000
