"""Ingestion in this process, on a database that no worker of the stack looks into."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from runtime.db.transaction import Database
from runtime.files.storage import Storage
from runtime.gateway import Gateway, UpstreamConfig
from runtime.ingest.pipeline import Ingest
from runtime.vector_stores.models import StoreFile
from runtime.vector_stores.removal import cancel_ingestion
from tests.ingest.waiting import IN_PROGRESS, OpenUpstream
from tests.support import services
from tests.support.upstream import Upstream


@pytest.fixture(scope="package")
async def db() -> AsyncIterator[Database]:
    """In place of the one that all tests share."""
    url = services.clone_database(f"{services.worker_name()}_ingest")
    database = Database(url, pool_size=2, max_overflow=20)
    yield database
    await database.close()


@pytest.fixture
async def ingest(
    db: Database, gateway: Gateway, storage: Storage
) -> AsyncIterator[Ingest]:
    """Ingestion with the local embedder; what a test leaves behind is taken away."""
    yield Ingest(db=db, gateway=gateway, storage=storage, owner="worker-1")
    async with db.transaction() as session:
        await cancel_ingestion(session, StoreFile.status == IN_PROGRESS)


@pytest.fixture
async def embedding_upstream(
    ingest: Ingest, upstream: Upstream
) -> AsyncIterator[OpenUpstream]:
    """Ingestion with a scripted embedding model, which is asked once an attempt."""
    opened: list[Gateway] = []

    def open(model: str) -> Ingest:
        config = UpstreamConfig(
            base_url=upstream.base_url, api_key="sk-x", max_attempts=1
        )
        opened.append(Gateway.open(config, embedding_model=model))
        return dataclasses.replace(ingest, gateway=opened[-1], backoff_seconds=0)

    yield open
    for gateway in opened:
        await gateway.close()
