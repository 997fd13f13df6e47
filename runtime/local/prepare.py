"""Bring a database up to date: tables at head, and the project `default` with its key.

Run by `up` as a process of its own (`python -m runtime.local.prepare`), so that the
supervisor never loads SQLAlchemy. What fails is one sentence on stderr and status 1.
"""

import asyncio
import sys

from alembic.util import CommandError
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from runtime.db.migrate import downgrade, upgrade
from runtime.db.transaction import Database
from runtime.errors import ApiError, InvalidRequest
from runtime.local.configuration import load_settings
from runtime.local.data_dir import read_or_make_api_key
from runtime.local.failure import CannotStart
from runtime.local.places import place
from runtime.projects.service import ensure_default_project
from runtime.settings import Settings

_CONNECT_TIMEOUT_SECONDS = 5


def migrate(settings: Settings, revision: str = "head", *, down: bool = False) -> None:
    """Bring the tables to a revision; `down` goes back, and what is undone is lost.

    Raises:
        CannotStart: the database is out of reach, lacks pgvector, or refused.
    """
    move = downgrade if down else upgrade
    try:
        move(settings.effective_database_url, revision)
    except CommandError as error:
        raise CannotStart(f"The tables cannot go to {revision}: {error}") from None
    except DBAPIError as error:
        raise CannotStart(database_trouble(settings, error)) from None


def database_trouble(settings: Settings, error: DBAPIError) -> str:
    """What went wrong with the database, and what to do."""
    where = place(settings.effective_database_url)
    words = str(error.orig).strip().splitlines()[0]
    if "vector" in words and "extension" in words:
        return (
            f"The database at {where} has no pgvector extension. Install pgvector on its "
            "server (the image pgvector/pgvector has it), or let a superuser run "
            "CREATE EXTENSION vector."
        )
    if error.connection_invalidated or "connect" in words:
        return (
            f"The database at {where} cannot be reached: {words}. "
            "Check ASSISTANTS_DATABASE_URL and that the server runs."
        )
    return f"The database at {where} refused: {words}"


def ensure_default(settings: Settings) -> None:
    """See to the project `default` and its key.

    Raises:
        CannotStart: the database refused; or the key is too short, was revoked or opens
            another project.
    """
    try:
        asyncio.run(_ensure_default_project(settings))
    except InvalidRequest as error:
        raise CannotStart(f"{error.message} {_other_key(settings)}") from None
    except ApiError as error:
        raise CannotStart(error.message) from None


def _other_key(settings: Settings) -> str:
    if settings.api_key is not None:
        return "Set ASSISTANTS_API_KEY to another: any text of 16 characters or more."
    return f"Remove {settings.api_key_file}: the next start makes another."


async def _ensure_default_project(settings: Settings) -> None:
    database = Database(settings.effective_database_url, pool_size=1, max_overflow=0)
    try:
        async with database.transaction() as session:
            await ensure_default_project(
                session,
                read_or_make_api_key(settings),
                # Two machines at one database have a file each: neither is the older.
                key_name=(
                    "ASSISTANTS_API_KEY"
                    if settings.api_key is not None
                    else str(settings.api_key_file)
                ),
            )
    finally:
        await database.close()


def _check_redis(settings: Settings) -> None:
    try:
        with Redis.from_url(
            settings.effective_redis_url,
            socket_connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            socket_timeout=_CONNECT_TIMEOUT_SECONDS,
        ) as redis:
            redis.ping()
    except (RedisError, OSError, ValueError) as error:
        raise CannotStart(
            f"Redis at {place(settings.effective_redis_url)} cannot be used: {error}. "
            "Check ASSISTANTS_REDIS_URL and that the server runs."
        ) from None


def main() -> int:
    """Status 0 when the database is up to date."""
    try:
        settings = load_settings()
        _check_redis(settings)
        migrate(settings)
        ensure_default(settings)
    except CannotStart as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
