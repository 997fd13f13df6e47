"""The vocabulary of all tests: one stack per test process, a project of its own per test.

Nothing is rolled back or cleaned: rows are committed, and a project sees only its own.
"""

import os
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from openai import AsyncOpenAI

from runtime.db.transaction import Database
from runtime.files.storage import Storage
from runtime.gateway import Gateway, UpstreamConfig
from runtime.projects.models import Project
from tests.support import services
from tests.support.make import Make, new_project
from tests.support.stack import Stack
from tests.support.upstream import Upstream

_running_stack: Stack | None = None


def pytest_configure(config: pytest.Config) -> None:
    services.start(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    services.stop(config)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's Result, untyped here
    if report.failed and _running_stack is not None:
        report.sections.append(("the stack's logs", _running_stack.logs()))


@pytest.fixture(scope="session")
def database_url() -> str:
    """This test process' own database, with all tables."""
    return services.clone_database(services.worker_name())


@pytest.fixture(scope="session")
def redis_url() -> str:
    """This test process' own numbered Redis database."""
    return services.redis_url(services.worker_name())


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """The model server that reads from a script."""
    with Upstream() as server:
        yield server


@pytest.fixture(scope="session")
def stack(database_url: str, redis_url: str, upstream: Upstream) -> Iterator[Stack]:
    """The runtime's processes; none is started here."""
    global _running_stack
    _running_stack = Stack(
        database_url=database_url,
        redis_url=redis_url,
        upstream_url=upstream.base_url,
        environment={
            "ASSISTANTS_MAX_FILE_BYTES": str(8 * 1024 * 1024),
            # Short, so that what takes a lease can be waited for.
            "ASSISTANTS_LEASE_SECONDS": "3",
            "ASSISTANTS_HEARTBEAT_SECONDS": "1",
            "ASSISTANTS_SWEEP_SECONDS": "0.5",
            "ASSISTANTS_SHUTDOWN_SECONDS": "3",
            "ASSISTANTS_RUN_CONCURRENCY": "50",
            "ASSISTANTS_UPSTREAM_ATTEMPTS": "3",
            "ASSISTANTS_FIRST_TOKEN_SECONDS": "5",
            "ASSISTANTS_BETWEEN_TOKENS_SECONDS": "2",
        },
    )
    yield _running_stack
    _running_stack.stop()
    _running_stack = None


@pytest.fixture(scope="session")
def api_url(stack: Stack) -> str:
    """Where the API answers, without `/v1`."""
    return stack.start_api()


@pytest.fixture(scope="session")
def runs_worker(stack: Stack, sandbox_token: None) -> None:
    """A worker that drives runs. The sandbox may come later, or not at all."""
    stack.start_worker("runs")


@pytest.fixture(scope="session")
def ingest_worker(stack: Stack) -> None:
    """A worker that makes files searchable."""
    stack.start_worker("ingest")


@pytest.fixture(scope="session")
def sandbox_token(stack: Stack) -> None:
    """The secret that worker and sandbox manager share, there before either starts."""
    stack.write_sandbox_token()


@pytest.fixture(scope="session")
def sandbox(stack: Stack, sandbox_token: None) -> None:
    """The sandbox manager. Tests that ask for it are marked `docker`."""
    stack.start_sandbox(f"test-{services.worker_name()}-{os.getpid()}")


@pytest.fixture(scope="session")
async def db(database_url: str) -> AsyncIterator[Database]:
    """The database, for what cannot be seen from outside."""
    database = Database(database_url, pool_size=2, max_overflow=20)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def gateway() -> AsyncIterator[Gateway]:
    """The built-in model and the local embedder, in this process."""
    config = UpstreamConfig(base_url=None, api_key=None)
    gateway = Gateway.open(config, embedding_model="local")
    yield gateway
    await gateway.close()


@pytest.fixture(scope="session")
def storage(stack: Stack) -> Storage:
    """The file storage that the stack uses."""
    return Storage(stack.storage_url)


@pytest.fixture
async def account(db: Database) -> tuple[Project, str]:
    return await new_project(db)


@pytest.fixture
def project(account: tuple[Project, str]) -> Project:
    """A project of the test's own."""
    return account[0]


@pytest.fixture
def key(account: tuple[Project, str]) -> str:
    """A key of that project."""
    return account[1]


@pytest.fixture
async def make(
    db: Database, project: Project, storage: Storage, gateway: Gateway
) -> Make:
    """Makes committed rows in the test's project."""
    return Make(db, project, storage, gateway.embedder)


@pytest.fixture
async def openai(api_url: str, key: str) -> AsyncIterator[AsyncOpenAI]:
    """The official client. It does not retry: a 5xx is to be seen."""
    async with AsyncOpenAI(
        base_url=f"{api_url}/v1", api_key=key, max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def api(api_url: str, key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Raw requests below `/v1`, with the key."""
    async with _raw(api_url, key) as client:
        yield client


@pytest.fixture
async def stranger(api_url: str, db: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """As `api`, with the key of another project."""
    _, key = await new_project(db)
    async with _raw(api_url, key) as client:
        yield client


def _raw(api_url: str, key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=f"{api_url}/v1",
        headers={"authorization": f"Bearer {key}"},
        timeout=30,
    )
