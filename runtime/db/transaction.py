"""Transactions: the one place that commits, and the outbox that leaves after it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import exc, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from runtime.errors import InvalidRequest, Unavailable

log = structlog.get_logger()

Delivery = Callable[[list[Any]], Awaitable[None]]

_TIMEOUTS_MS = {
    "statement_timeout": 15_000,
    "lock_timeout": 10_000,
    # A process that hangs must not hold its locks: others wait for these rows.
    "idle_in_transaction_session_timeout": 10_000,
}
_CONNECT_TIMEOUT_SECONDS = 5
_POOL_WAIT_SECONDS = 10


class DatabaseAway(Unavailable):
    """Postgres was lost, refused us or was too busy: nothing was kept, try again.

    When the connection died within COMMIT itself, the commit may have happened: whoever
    must know reads the row back.
    """

    def __init__(self) -> None:
        super().__init__(
            "The database is unavailable for the moment; please try again.",
            retry_after_seconds=1,
        )


class Session(AsyncSession):
    """A unit of work, with an outbox: events and jobs that leave after the commit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outbox: list[Any] = []

    async def database_now(self) -> datetime:
        """This moment by the only clock that decides: Postgres' own."""
        moment: datetime | None = await self.scalar(select(func.clock_timestamp()))
        assert moment is not None  # it always knows
        return moment

    async def take_time(self, seconds: int) -> None:
        """Let each statement of this transaction take so long, for once."""
        await self.execute(
            select(func.set_config("statement_timeout", f"{seconds}s", True))
        )

    async def see_one_moment(self) -> None:
        """Let every query of this transaction see the same rows; it writes none.

        To be called before any other query. No lock is held: others go on.
        """
        await self.execute(
            text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        )


T = TypeVar("T")
Beginning = Callable[[Session], Awaitable[None]]


class Unit:
    """A unit of work with something slow to do first: its transaction begins late.

    It commits when the unit ends, which may be long after the function that began it.
    What was entered before is there until then, and learns whether the commit succeeded.
    """

    def __init__(
        self,
        db: "Database",
        stack: contextlib.AsyncExitStack,
        on_begin: Beginning | None,
    ) -> None:
        self.db = db
        self._stack = stack
        self._on_begin = on_begin
        self._begun = False

    async def enter(self, context: contextlib.AbstractAsyncContextManager[T]) -> T:
        """Enter something that lasts until after the commit, or its failure."""
        return await self._stack.enter_async_context(context)

    async def begin(self) -> Session:
        """Begin the transaction. Once: nothing slow is done from here on.

        Raises:
            DatabaseAway: Postgres is out of reach; safe to try again.
        """
        assert not self._begun  # a second one would wait for what the first has locked
        self._begun = True
        session = await self.enter(self.db.transaction())
        if self._on_begin is not None:
            await self._on_begin(session)
        return session


class Database:
    """A pool of connections; belongs to the event loop that first uses it."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        max_overflow: int = 8,
        deliver: Delivery | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            url: ``postgresql+psycopg://…``
            pool_size: connections kept.
            max_overflow: connections more, while there is need.
            deliver: sends an outbox after its commit; may fail, which is logged.
        """
        options = " ".join(f"-c {name}={value}" for name, value in _TIMEOUTS_MS.items())
        self._engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=_POOL_WAIT_SECONDS,
            pool_pre_ping=True,
            # Parameters are people's messages and files: they do not go into logs.
            hide_parameters=True,
            connect_args={
                "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
                "options": options,
                "application_name": "assistants",
            },
        )
        self._sessions = async_sessionmaker(
            self._engine, class_=Session, expire_on_commit=False
        )
        self._deliver = deliver

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """One unit of work: committed at the end of the block, undone by an exception.

        Raises:
            DatabaseAway: Postgres is out of reach; safe to try again.
            InvalidRequest: a value that Postgres cannot hold reached it.
        """
        async with _in_our_words(), self._sessions() as session, session.begin():
            yield session
        if session.outbox and self._deliver is not None:
            # Shielded: who is cancelled now (a caller hung up, a run was stopped) has
            # committed all the same, and others wait for the word of it.
            await asyncio.shield(self._send(self._deliver, session.outbox))

    @contextlib.asynccontextmanager
    async def unit(self, on_begin: Beginning | None = None) -> AsyncIterator["Unit"]:
        """One unit of work whose transaction begins late, and ends with the block.

        Args:
            on_begin: called with the session when the transaction has begun.
        """
        async with contextlib.AsyncExitStack() as stack:
            yield Unit(self, stack, on_begin)

    async def _send(self, deliver: Delivery, outbox: list[Any]) -> None:
        try:
            await deliver(outbox)
        except Exception:
            # The commit stands whatever became of its bell; the sweeper rings again.
            log.warning("outbox not delivered", exc_info=True)

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            DatabaseAway: there was none.
        """
        async with _in_our_words(), self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


@contextlib.asynccontextmanager
async def _in_our_words() -> AsyncIterator[None]:
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        log.warning("database away", reason=str(error).splitlines()[0][:300])
        raise DatabaseAway from error
    except exc.DataError as error:
        raise InvalidRequest(
            "The request holds a value that cannot be stored."
        ) from error
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseAway from error
        raise
