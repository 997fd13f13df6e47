"""Stores to be asked."""

import pytest

from runtime.db.transaction import Database
from runtime.gateway import Gateway
from runtime.projects.models import Project
from runtime.vector_stores.models import VectorStore
from tests.support.make import Make
from tests.vector_stores.asking import FACTS, Ask


@pytest.fixture
def ask(db: Database, gateway: Gateway, project: Project) -> Ask:
    return Ask(db, gateway, project)


@pytest.fixture
async def facts(make: Make) -> VectorStore:
    """A store with each of the facts in a file of its own."""
    store = await make.store()
    for fact in FACTS:
        await make.store_file(store, fact, attributes={"length": len(fact)})
    return store
