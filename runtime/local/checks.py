"""One check per part: returns how it is in a few words, or raises `Unwell`."""

import urllib.error
import urllib.request
from collections.abc import Coroutine
from typing import Any

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from runtime.db import migrate
from runtime.local import redis as embedded
from runtime.local.failure import CannotStart
from runtime.local.places import place
from runtime.settings import Settings
from sandbox import SandboxClient
from sandbox.build import has_image
from sandbox.docker_client import Docker, EngineAway, EngineRefused
from sandbox.images import image_name

Check = Coroutine[Any, Any, str]

_PATIENCE_SECONDS = 5


class Unwell(Exception):
    """What is wrong; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def database(settings: Settings) -> str:
    """The database answers."""
    row = _select(settings, "SELECT current_setting('server_version')")
    return f"PostgreSQL {row[0]} at {place(settings.effective_database_url)}"


def pgvector(settings: Settings) -> str:
    """The extension `vector` is installed, or can be."""
    row = _select(
        settings,
        "SELECT max(default_version), max(installed_version)"
        " FROM pg_available_extensions WHERE name = 'vector'",
    )
    if row[0] is None:
        raise Unwell(
            "The database server has no pgvector.",
            "Install pgvector on it; the image pgvector/pgvector:pg18 has it.",
        )
    return f"{row[1]}" if row[1] else f"{row[0]}, installed by the first migration"


def tables(settings: Settings) -> str:
    """The migrations are at head."""
    head = migrate.head()
    current = migrate.current(settings.effective_database_url)
    if current == head:
        return f"at {head}"
    raise Unwell(
        f"The tables are at {current or 'nothing'}, this version wants {head}.",
        "Run `assistants migrate` (`assistants up` does it by itself).",
    )


def redis(settings: Settings) -> str:
    """Redis answers."""
    try:
        with Redis.from_url(
            settings.effective_redis_url,
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_timeout=_PATIENCE_SECONDS,
        ) as client:
            version = client.info("server")["redis_version"]
    except (RedisError, OSError, ValueError) as error:
        raise Unwell(
            f"Redis cannot be used: {error}",
            "Check ASSISTANTS_REDIS_URL and that the server runs.",
        ) from None
    return f"Redis {version} at {place(settings.effective_redis_url)}"


def embedded_redis() -> str:
    """There is a server that `up` can start."""
    try:
        return f"started by `assistants up` ({embedded.program()})"
    except CannotStart as failure:
        raise Unwell("There is no Redis.", str(failure)) from None


def upstream(settings: Settings) -> str:
    """The model server lists its models."""
    url = f"{(settings.openai_base_url or '').rstrip('/')}/models"
    remedy = "Check OPENAI_BASE_URL (it ends in /v1) and OPENAI_API_KEY."
    headers = {"Authorization": f"Bearer {settings.openai_api_key or 'none'}"}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS):
            return f"{place(url)} answers"
    except urllib.error.HTTPError as error:
        with error:
            raise Unwell(f"{place(url)} answers {error.code}.", remedy) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unwell(f"{place(url)} cannot be reached: {reason}", remedy) from None


async def docker() -> str:
    """A Docker engine answers."""
    try:
        async with Docker() as engine:
            version = await engine.version()
    except (EngineAway, EngineRefused) as error:
        raise Unwell(
            f"{error}.",
            "Install Docker (`assistants sandbox build --install-engine` does it on "
            "Debian and Ubuntu) or set DOCKER_HOST. Until then code_interpreter is off.",
        ) from None
    return f"Docker {version.get('Version')}"


async def sandbox_image(settings: Settings) -> str:
    """The engine holds the image that code runs in."""
    name = settings.sandbox_image or image_name()
    try:
        async with Docker() as engine:
            if await has_image(engine, name):
                return name
    except (EngineAway, EngineRefused):
        raise Unwell("not known without an engine", "See docker.") from None
    raise Unwell(f"{name} is not there.", "Run `assistants sandbox build`.")


async def sandbox_manager(settings: Settings) -> str:
    """The manager answers and can run code."""
    token = settings.sandbox_token
    if token is None and settings.sandbox_token_file.exists():
        token = settings.sandbox_token_file.read_text().strip()
    client = SandboxClient(settings.effective_sandbox_url, token or "")
    health = await client.health()
    if not health.ok:
        raise Unwell(" ".join(health.sentences), "See `<data dir>/logs/sandbox.log`.")
    return "runs code"


def _select(settings: Settings, statement: str) -> tuple[Any, ...]:
    url = settings.effective_database_url.replace("postgresql+psycopg", "postgresql", 1)
    try:
        with psycopg.connect(url, connect_timeout=_PATIENCE_SECONDS) as connection:
            # The statements are the constants above.
            row = connection.execute(statement.encode()).fetchone()
    except psycopg.Error as error:
        words = _words(error)
        raise Unwell(
            f"The database cannot be used: {words}",
            "Check ASSISTANTS_DATABASE_URL and that the server runs.",
        ) from None
    assert row is not None  # each statement gives exactly one row
    return row


def _words(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        # libpq could not read the address, and quotes it with its password.
        return "its address cannot be read."
    return str(error).strip().splitlines()[0]
