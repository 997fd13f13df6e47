"""Requests that are right in all but one respect, which is drawn."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.contract.calls import CALLS
from tests.contract.requests import filled
from tests.contract.world import World
from tests.properties import hostile
from tests.properties.described import Operation

_JSON = "application/json"
_FORM = "multipart/form-data"
# A strange id makes another address of it, perhaps of another verb.
_ELSEWHERE = frozenset({400, 404, 405})
_UNREAD = frozenset({413, 415})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent to an operation.

    Attributes:
        path: below `/v1`, with the query.
        statuses: what may come of it.
    """

    verb: str
    path: str
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict)
    statuses: frozenset[int]

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as bytes, which a client would not send so by itself."""
        return [
            (name.encode(), value.encode("utf-8" if "١" in value else "latin-1"))
            for name, value in self.headers.items()
        ]


@st.composite
def requests(draw: st.DrawFn, operation: Operation, world: World) -> Request:
    """A request to an operation; one of its parts is hostile."""
    part = draw(st.sampled_from(_parts(operation)))
    ids = _usual_ids(operation, world)
    query, body, headers = "", None, dict[str, str]()
    statuses = operation.statuses
    if operation.media_types:
        body, headers["content-type"] = b"{}", operation.media_types[0]
    match part:
        case "ids":
            name = draw(st.sampled_from(operation.ids))
            ids[name] = draw(hostile.segments)
            statuses |= _ELSEWHERE | _UNREAD
        case "query":
            query = draw(_queries(operation))
        case "headers":
            headers |= draw(hostile.headers)
            statuses |= _UNREAD
        case "bytes":
            body = draw(hostile.bodies)
            headers["content-type"] = draw(st.just(_JSON) | hostile.media_types)
        case "form":
            body = draw(hostile.forms())
            boundary = st.just("multipart/form-data; boundary=x")
            headers["content-type"] = draw(boundary | hostile.media_types)
        case _:
            at, value = draw(st.sampled_from(_calls(operation, world)))
            ids |= at
            body = draw(hostile.mutated(value).flatmap(hostile.encoded))
    path = operation.path.removeprefix("/v1").format(**ids)
    return Request(
        verb=operation.verb,
        path=path + query,
        body=body,
        headers=headers,
        statuses=statuses,
    )


def _parts(operation: Operation) -> list[str]:
    parts = ["headers"]
    if operation.ids:
        parts.append("ids")
    if operation.queries:
        parts.append("query")
    if _JSON in operation.media_types:
        # Most that can go wrong goes wrong in the body.
        parts += ["bytes", "json", "json", "json"]
    if _FORM in operation.media_types:
        parts += ["bytes", "form", "form"]
    return parts


def _usual_ids(operation: Operation, world: World) -> dict[str, str]:
    kinds = {name: name.removesuffix("_id") for name in operation.ids}
    kinds["vector_store_id"] = "store"
    return {name: world.get(kind, "builtin") for name, kind in kinds.items()}


def _queries(operation: Operation) -> st.SearchStrategy[str]:
    names = st.sampled_from([*operation.queries, "unknown"]).map(quote)
    pairs = st.tuples(names, hostile.segments).map("=".join)
    return st.lists(pairs, min_size=1, max_size=4).map(
        lambda pairs: "?" + "&".join(pairs)
    )


def _calls(operation: Operation, world: World) -> list[tuple[dict[str, str], Any]]:
    """Good bodies of an operation, each with the ids that its address needs."""
    calls = [
        (filled(call.at, world), filled(call.body, world))
        for call in CALLS
        if call.operation == operation.id and call.body
    ]
    return calls or [
        ({}, {"metadata": {"a": "b"}, "input": "text", "model": "builtin"})
    ]
