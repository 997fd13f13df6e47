"""From every state only the listed moves, in Python and in the database alike."""

import itertools
from datetime import datetime

import pytest
from sqlalchemy import exc, text

from runtime.db.transaction import Database
from runtime.errors import IllegalMove
from runtime.runs import lifecycle
from runtime.runs.lifecycle import ENDED, LIVE, MOVES
from runtime.runs.models import LIVE as LIVE_IN_SQL
from runtime.runs.models import Run, RunStatus
from tests.support.make import Make

_S = RunStatus

# Written out once more on purpose: the design's table, not what the code makes of it.
DESIGNED = {
    _S.QUEUED: {_S.IN_PROGRESS, _S.CANCELLED, _S.FAILED, _S.EXPIRED},
    _S.IN_PROGRESS: {
        _S.REQUIRES_ACTION,
        _S.QUEUED,
        _S.CANCELLING,
        _S.COMPLETED,
        _S.FAILED,
        _S.INCOMPLETE,
        _S.EXPIRED,
    },
    _S.REQUIRES_ACTION: {_S.QUEUED, _S.CANCELLED, _S.EXPIRED},
    _S.CANCELLING: {
        _S.CANCELLED,
        _S.COMPLETED,
        _S.FAILED,
        _S.INCOMPLETE,
        _S.EXPIRED,
    },
}
PAIRS = list(itertools.product(RunStatus, RunStatus))


async def _now(db: Database) -> datetime:
    async with db.transaction() as session:
        return await session.database_now()


@pytest.mark.parametrize(("old", "new"), PAIRS)
async def test_only_the_designed_moves_are_made(
    db: Database, old: RunStatus, new: RunStatus
) -> None:
    run = Run(id="run_1", status=old)
    at = await _now(db)

    if new in DESIGNED.get(old, set()):
        lifecycle.move(run, new, at)
        assert run.status is new
    else:
        with pytest.raises(IllegalMove):
            lifecycle.move(run, new, at)
        assert run.status is old


async def test_the_database_knows_the_same_moves(db: Database, make: Make) -> None:
    refused, allowed = set(), set()
    for old, new in PAIRS:
        if old is new:
            continue
        run = await make.run(status=old)
        try:
            async with db.transaction() as session:
                await session.execute(
                    text("UPDATE runs SET status = :new WHERE pk = :pk"),
                    {"new": new.value, "pk": run.pk},
                )
        except exc.IntegrityError:
            refused.add((old, new))
        else:
            allowed.add((old, new))

    assert allowed == {(old, new) for old, news in MOVES.items() for new in news}
    assert allowed | refused == {(a, b) for a, b in PAIRS if a is not b}


async def test_the_database_lets_no_fencing_token_shrink(
    db: Database, make: Make
) -> None:
    run = await make.run(attempt=3)

    with pytest.raises(exc.IntegrityError, match="fencing token"):
        async with db.transaction() as session:
            row = await session.get_one(Run, run.pk)
            row.attempt = 2


async def test_the_database_holds_one_live_run_a_thread(make: Make) -> None:
    thread = await make.thread()
    await make.run(thread, status=_S.COMPLETED)
    await make.run(thread, status=_S.REQUIRES_ACTION)

    with pytest.raises(exc.IntegrityError, match="one_live_per_thread"):
        await make.run(thread)


def test_live_means_the_same_in_sql_and_in_python() -> None:
    assert {word.strip("' ") for word in LIVE_IN_SQL.split(",")} == LIVE
    assert frozenset(RunStatus) == LIVE | ENDED


@pytest.mark.parametrize("to", sorted(ENDED | {_S.QUEUED, _S.REQUIRES_ACTION}))
async def test_a_run_nobody_works_on_has_no_lease(db: Database, to: RunStatus) -> None:
    at = await _now(db)
    old = _S.CANCELLING if to is _S.CANCELLED else _S.IN_PROGRESS
    run = Run(id="run_1", status=old, lease_owner="me", lease_expires_at=at)

    lifecycle.move(run, to, at)

    assert run.lease_owner is None
    assert run.lease_expires_at is None
    assert (run.ended_at == at) is (to in ENDED)


async def test_a_run_that_goes_on_keeps_the_moment_it_first_began(
    db: Database,
) -> None:
    first, later = await _now(db), await _now(db)
    run = Run(id="run_1", status=_S.QUEUED)

    for at in (first, later):
        lifecycle.move(run, _S.IN_PROGRESS, at)
        lifecycle.move(run, _S.QUEUED, at)

    assert run.started_at == first
