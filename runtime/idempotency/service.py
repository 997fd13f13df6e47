"""Idempotency keys: claim one, answer it, let it go, find what it was answered.

A request whose effect is rows claims its key at the start of its transaction and puts the
answer beside it before the end. A twin then waits in the unique index: for the answer, or
for a rollback, and that leaves no key behind. A request that waits for a model may hold no
transaction: it claims in one, answers in another, and its claim has a lease.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Result, delete, exc, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from runtime.db.transaction import Database, Session
from runtime.errors import InvalidRequest, KeyInUse
from runtime.idempotency.models import IdempotencyKey
from runtime.ids import new_id

HEADER = "Idempotency-Key"

_KEPT = timedelta(hours=24)
# Longer than a model takes, bar very few; a process killed meanwhile blocks its key for
# so long.
_LEASE = timedelta(minutes=5)
# A twin of a request that waits for a model asks ever more seldom, and not for ever.
_PATIENCE_SECONDS = 30.0
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 1.0
# As SQL names it that a lock was waited for too long.
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came with a key.

    `fingerprint` is the same for the same request; `claim` is of this one alone.
    """

    project_id: str
    key: str
    fingerprint: bytes
    claim: str = field(default_factory=lambda: new_id("claim"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered: a body, or the place where a run's events begin."""

    status: int
    media_type: str | None = None
    body: bytes | None = None
    stream: dict[str, Any] | None = None


async def find_answer(session: Session, asked: Asked) -> Answer | None:
    """The answer that was kept, if there is one by now.

    Raises:
        InvalidRequest: the key stands for another request.
    """
    row = await _find(session, asked)
    return None if row is None else _answer(row, asked)


async def claim(session: Session, asked: Asked) -> Answer | None:
    """Claim a key for this request, or learn how it was answered.

    Returns:
        None: the key is this request's; it is to be answered (`keep`) or let go
        (`release`). Otherwise what a request before this one was answered.

    Raises:
        InvalidRequest: the key stands for another request.
        KeyInUse: such a request is being worked on.
    """
    try:
        won = await _take(session, asked)
    except exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise KeyInUse() from error
        raise
    if won.scalar_one_or_none() is not None:
        return None
    # Locked by the insert that did not happen: it is there, and stays.
    row = await _find(session, asked)
    answer = None if row is None else _answer(row, asked)
    if answer is None:
        raise KeyInUse()
    return answer


async def claim_patiently(db: Database, asked: Asked) -> Answer | None:
    """As `claim`, in transactions of its own, and waiting for whoever is at work.

    Raises:
        InvalidRequest: the key stands for another request.
        KeyInUse: the request before this one still is not answered after 30 seconds.
        DatabaseAway: try again.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    wait_seconds = _FIRST_WAIT_SECONDS
    while True:
        try:
            async with db.transaction() as session:
                return await claim(session, asked)
        except KeyInUse:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)


async def keep(session: Session, asked: Asked, answer: Answer) -> None:
    """Keep the answer of a claimed request for 24 hours, if the claim still holds."""
    await session.execute(
        update(IdempotencyKey)
        .where(*_is(asked), IdempotencyKey.claim == asked.claim)
        .values(
            claim=None,
            lease_expires_at=None,
            status=answer.status,
            media_type=answer.media_type,
            body=answer.body,
            stream=answer.stream,
        )
    )


async def release(session: Session, asked: Asked) -> None:
    """Let a claimed key go: its request failed, and may be tried again."""
    await session.execute(
        delete(IdempotencyKey).where(*_is(asked), IdempotencyKey.claim == asked.claim)
    )


async def forget_old(session: Session, limit: int = 1000) -> int:
    """Forget keys that are over, the oldest first, at most `limit`; how many."""
    over = (
        select(IdempotencyKey.project_id, IdempotencyKey.key)
        .where(IdempotencyKey.created_at < func.now() - _KEPT)
        .order_by(IdempotencyKey.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .subquery()
    )
    forgotten = await session.execute(
        delete(IdempotencyKey)
        .where(
            IdempotencyKey.project_id == over.c.project_id,
            IdempotencyKey.key == over.c.key,
        )
        .returning(IdempotencyKey.key)
    )
    return len(forgotten.all())


async def _take(session: Session, asked: Asked) -> Result[tuple[str | None]]:
    fresh = {
        "fingerprint": asked.fingerprint,
        "claim": asked.claim,
        "lease_expires_at": func.clock_timestamp() + _LEASE,
    }
    # A key that is over, or was left by a process that died, begins anew.
    return await session.execute(
        insert(IdempotencyKey)
        .values(project_id=asked.project_id, key=asked.key, **fresh)
        .on_conflict_do_update(
            index_elements=[IdempotencyKey.project_id, IdempotencyKey.key],
            set_={
                **fresh,
                **dict.fromkeys(("status", "media_type", "body", "stream")),
                "created_at": func.now(),
            },
            where=or_(
                IdempotencyKey.created_at < func.now() - _KEPT,
                IdempotencyKey.lease_expires_at < func.clock_timestamp(),
            ),
        )
        .returning(IdempotencyKey.claim)
    )


async def _find(session: Session, asked: Asked) -> IdempotencyKey | None:
    row: IdempotencyKey | None = await session.scalar(
        select(IdempotencyKey).where(
            *_is(asked), IdempotencyKey.created_at >= func.now() - _KEPT
        )
    )
    return row


def _is(asked: Asked) -> tuple[Any, Any]:
    return (
        IdempotencyKey.project_id == asked.project_id,
        IdempotencyKey.key == asked.key,
    )


def _answer(row: IdempotencyKey, asked: Asked) -> Answer | None:
    if row.fingerprint != asked.fingerprint:
        raise InvalidRequest(
            f"This {HEADER} was sent before with another request. A key stands for one "
            "request: the same method, address and body. Please make a new key for each.",
            param=HEADER,
            code="idempotency_key_reuse",
        )
    if row.status is None:
        return None
    return Answer(row.status, row.media_type, row.body, row.stream)
