"""Idempotency keys in tests: requests that carry one, and what is kept of it."""

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
from sqlalchemy import update

from runtime.db.transaction import Database
from runtime.idempotency.models import IdempotencyKey

REPLAYED = "idempotency-replayed"


def new_key() -> dict[str, str]:
    """The header of a fresh key."""
    return {"idempotency-key": str(uuid4())}


def check_replay(first: httpx2.Response, again: httpx2.Response) -> None:
    """Assert that the first is an answer, and the other a replay of it."""
    assert first.status_code == 200, first.text
    assert REPLAYED not in first.headers
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers[REPLAYED] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def at_once(requests: Iterable[Awaitable[httpx2.Response]]) -> dict[str, Any]:
    """The one answer that all of these are given, all but one as a replay."""
    answers = await asyncio.gather(*requests)
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    assert len({answer.content for answer in answers}) == 1
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1
    body: dict[str, Any] = answers[0].json()
    return body


async def grow_older(db: Database, key: dict[str, str], by: timedelta) -> None:
    """Let a key have been claimed or answered so long before."""
    async with db.transaction() as session:
        await session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.key == key["idempotency-key"])
            .values(
                created_at=IdempotencyKey.created_at - by,
                lease_expires_at=IdempotencyKey.lease_expires_at - by,
            )
        )
