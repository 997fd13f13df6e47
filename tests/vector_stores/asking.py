"""Five facts, and a way to ask for them."""

from collections.abc import Sequence
from typing import Any

from runtime.db.transaction import Database
from runtime.gateway import Gateway
from runtime.projects.models import Project
from runtime.vector_stores.models import VectorStore
from runtime.vector_stores.search import Hit, search

FACTS = (
    "The cat slept on the warm windowsill all afternoon.",
    "Interest rates rose again, said the central bank on Tuesday.",
    "Error ERR-4711-XJ means that the pump has lost its pressure.",
    "Die Straßenbahn fährt alle zehn Minuten zum Hauptbahnhof.",
    "def parse_header(line): return line.split(':', 1)",
)


class Ask:
    """Asks the stores of a test."""

    def __init__(self, db: Database, gateway: Gateway, project: Project) -> None:
        self._parts = (db, gateway, project)

    async def __call__(
        self,
        queries: str | Sequence[str],
        *stores: VectorStore,
        **options: Any,
    ) -> list[Hit]:
        return await search(*self._parts, stores, queries, **options)
