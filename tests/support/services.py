"""Real Postgres and Redis for a test run: given by environment, else started as children.

The process that starts the run (with pytest-xdist: the controller) starts the services
and makes a template database with all tables; every worker clones it for itself and has
a Redis database of its own. All of it is in a temporary directory, gone afterwards.

In `tests/conftest.py`:

    from tests.support import services

    def pytest_configure(config): services.start(config)
    def pytest_unconfigure(config): services.stop(config)

    @pytest.fixture(scope="session")
    def database_url() -> str: return services.clone_database(services.worker_name())

    @pytest.fixture(scope="session")
    def redis_url() -> str: return services.redis_url(services.worker_name())
"""

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from signal import SIGTERM
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from runtime.db.migrate import upgrade
from runtime.local import launch, postgres, redis

# In: services of your own. Out, by the same names: what the workers inherit.
DATABASE_URL = "ASSISTANTS_TEST_DATABASE_URL"
REDIS_URL = "ASSISTANTS_TEST_REDIS_URL"

_TEMPLATE = "ASSISTANTS_TEST_TEMPLATE"
_MAX_CONNECTIONS = 400
_running = ExitStack()


def start(config: pytest.Config) -> None:
    """Have both services and the template; does nothing in a worker of xdist."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    directory = Path(tempfile.mkdtemp(prefix="assistants-test-"))
    _running.callback(shutil.rmtree, directory, ignore_errors=True)
    if DATABASE_URL not in os.environ:
        _start_postgres(directory)
    if REDIS_URL not in os.environ:
        _start_redis(directory)
    _make_template()


def stop(config: pytest.Config) -> None:
    """End what this process started; an xdist worker drops its own database."""
    _running.close()


def worker_name() -> str:
    """`gw0`, `gw1`, … under xdist, else `main`."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def clone_database(name: str) -> str:
    """A fresh database with all tables; its SQLAlchemy URL. Takes some 50 ms."""
    database = f"{os.environ[_TEMPLATE]}_{name}"
    _execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
            sql.Identifier(database)
        ),
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(database), sql.Identifier(os.environ[_TEMPLATE])
        ),
    )
    _running.callback(drop_database, database)
    return _url_of(database)


def empty_database(name: str) -> str:
    """A fresh database without any table; its SQLAlchemy URL."""
    database = f"{os.environ[_TEMPLATE]}_{name}"
    drop_database(database)
    _execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    return _url_of(database)


def drop_database(database: str) -> None:
    """Remove a database, whoever is still connected to it."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    _execute(statement.format(sql.Identifier(database)))


def redis_url(name: str) -> str:
    """The URL of this worker's own numbered Redis database (`main` has 0)."""
    number = int(name.removeprefix("gw")) + 1 if name.startswith("gw") else 0
    url = os.environ[REDIS_URL]
    if url.startswith("unix://"):
        return f"{url}?db={number}"
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))


def _start_postgres(directory: Path) -> None:
    cluster = postgres.Cluster(
        data_dir=directory / "postgres",
        socket_dir=directory / "pg",
        max_connections=_MAX_CONNECTIONS,
        durable=False,
    )
    _running.enter_context(postgres.running(cluster))
    _export(DATABASE_URL, cluster.url("postgres"))


def _start_redis(directory: Path) -> None:
    socket_path = directory / "redis.sock"
    argv = [*redis.command(socket_path), "--databases", "64"]
    server = subprocess.Popen(
        launch.command(argv, death_signal=SIGTERM),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    _running.callback(server.wait)
    _running.callback(server.terminate)
    deadline = time.monotonic() + 20
    while not redis.is_ready(socket_path):
        assert server.poll() is None, "the embedded Redis ended at once"
        assert time.monotonic() < deadline, "the embedded Redis did not start"
        time.sleep(0.02)
    _export(REDIS_URL, f"unix://{socket_path}")


def _make_template() -> None:
    # Two runs on one given server must not meet.
    template = f"assistants_test_{os.getpid()}"
    _export(_TEMPLATE, template)
    _execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
    _running.callback(drop_database, template)
    upgrade(_url_of(template))


def _export(name: str, value: str) -> None:
    os.environ[name] = value
    _running.callback(os.environ.pop, name, None)


def _execute(*statements: sql.Composed) -> None:
    url = os.environ[DATABASE_URL].replace("postgresql+psycopg", "postgresql", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _url_of(database: str) -> str:
    given = os.environ[DATABASE_URL]
    _, _, rest = given.partition("://")
    parts = urlsplit(f"postgresql://{rest}")
    # urlunsplit leaves out an empty host with its slashes; the user is all there is.
    query = f"?{parts.query}" if parts.query else ""
    return f"postgresql+psycopg://{parts.netloc}/{database}{query}"
