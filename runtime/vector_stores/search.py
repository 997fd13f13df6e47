"""Search: question → vector → one ranking statement → hits without repeats."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select

from runtime.clock import now
from runtime.db.transaction import Database, Session
from runtime.errors import IllegalMove, InvalidRequest
from runtime.projects.models import Project
from runtime.vector_stores.filters import condition_of
from runtime.vector_stores.hits import Hit, without_repeats
from runtime.vector_stores.lookup import touch
from runtime.vector_stores.models import StoreFile, StoreFileStatus, VectorStore
from runtime.vector_stores.ranking import PLANNING, ranking_statement
from runtime.wire.search import Filters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import TextClause

    from runtime.gateway import Gateway

__all__ = ["Hit", "RankingOptions", "search", "wait_until_ready"]

# So many more are fetched than asked for, since repeats are dropped.
_SPARE = 3
# What comes after so much of a question adds nothing to it, and Postgres' parser for
# words takes no text without end.
_QUESTION_CHARACTERS = 8_000
# Between two looks at files that are waited for: soon at first, then seldom.
_FIRST_LOOK_SECONDS = 0.05
_LAST_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingOptions:
    """How hits are weighed, and from which score on they count.

    The weights need not add up to 1; as measured on the public benchmark, halves are
    best. A question without any word is ranked by vectors alone.
    """

    score_threshold: float = 0.0
    embedding_weight: float = 0.5
    text_weight: float = 0.5

    @property
    def text_share(self) -> float:
        """The weight of words, from 0 to 1.

        Raises:
            InvalidRequest: a weight is negative, or both are 0.
        """
        total = self.embedding_weight + self.text_weight
        if min(self.embedding_weight, self.text_weight) < 0 or total <= 0:
            raise InvalidRequest(
                "The weights of a hybrid search are not negative, and one of them is "
                "more than 0.",
                param="ranking_options.hybrid_search",
            )
        return self.text_weight / total


async def search(
    db: Database,
    gateway: "Gateway",
    project: Project,
    stores: Sequence[VectorStore],
    queries: str | Sequence[str],
    *,
    max_num_results: int = 10,
    filters: Filters | None = None,
    ranking: RankingOptions | None = None,
) -> list[Hit]:
    """Find the chunks of these stores that fit best, best first.

    Of several questions, a chunk has the score of the one it fits best. Stores that are
    empty have no hits; an expired one is left out as long as another is there.

    Args:
        stores: of this project; searched as if they were one.
        max_num_results: how many hits at most.
        filters: on the attributes of files; all others are as if they were not there.

    Raises:
        IllegalMove: a store was made with another embedding model than the runtime's,
            or all of them have expired.
        InvalidRequest: filters or weights that cannot be.
        RateLimited, UpstreamFailed: the question could not be embedded.
        DatabaseAway: try again.
    """
    asked = [queries] if isinstance(queries, str) else queries
    questions = [question[:_QUESTION_CHARACTERS] for question in asked]
    ranking = ranking or RankingOptions()
    condition = condition_of(filters) if filters else None
    stores = _searchable(gateway, stores)
    if not stores or not questions:
        return []
    common = {
        "store_pks": [store.pk for store in stores],
        "project_id": project.id,
        "text_weight": ranking.text_share,
        "threshold": ranking.score_threshold,
        "most": max_num_results * _SPARE,
        **(condition.values if condition else {}),
    }
    statement = ranking_statement(condition.sql if condition else None)
    vectors = await gateway.embedder.embed(questions)
    _check_dimensions(stores, vectors.shape[1])
    hits: list[Hit] = []
    async with db.transaction() as session:
        await session.execute(PLANNING)
        for question, vector in zip(questions, vectors, strict=True):
            values = {**common, "query": question, "vector": _as_text(vector)}
            hits += await _rank(session, statement, values)
        # In one order, whoever searches: this locks their rows.
        for store in sorted(stores, key=lambda store: store.pk):
            await touch(session, store)
    # A chunk found twice repeats itself, and so only its better score is kept.
    hits.sort(key=lambda hit: hit.score, reverse=True)
    return without_repeats(hits)[:max_num_results]


async def wait_until_ready(
    db: Database, stores: Sequence[VectorStore], *, timeout_seconds: float
) -> bool:
    """Wait until no file of these stores is still being read; whether that came true.

    Raises:
        DatabaseAway: it could not be seen.
    """
    reading = select(
        exists().where(
            StoreFile.store_pk.in_([store.pk for store in stores]),
            StoreFile.status == StoreFileStatus.IN_PROGRESS,
        )
    )
    clock = asyncio.get_running_loop()
    deadline = clock.time() + timeout_seconds
    pause = _FIRST_LOOK_SECONDS
    while True:
        async with db.transaction() as session:
            if not await session.scalar(reading):
                return True
        if clock.time() + pause > deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LAST_LOOK_SECONDS)


def _searchable(gateway: "Gateway", stores: Sequence[VectorStore]) -> list[VectorStore]:
    moment = now()
    live = [
        store
        for store in stores
        if store.expires_at is None or store.expires_at > moment
    ]
    if stores and not live:
        raise IllegalMove(
            f"Vector store '{stores[0].id}' has expired.", code="vector_store_expired"
        )
    for store in live:
        if store.embedding_model != gateway.embedder.model:
            raise IllegalMove(
                f"Vector store '{store.id}' was made with the embedding model "
                f"'{store.embedding_model}', and the runtime now uses "
                f"'{gateway.embedder.model}': vectors of two models do not compare. "
                "Put its files into a new vector store.",
                code="embedding_model_changed",
            )
    return live


def _check_dimensions(stores: Sequence[VectorStore], dimensions: int) -> None:
    for store in stores:
        if store.embedding_dimensions not in (0, dimensions):
            raise IllegalMove(
                f"Vector store '{store.id}' holds vectors of "
                f"{store.embedding_dimensions} dimensions, and the embedding model now "
                f"gives {dimensions}. Put its files into a new vector store.",
                code="embedding_model_changed",
            )


async def _rank(
    session: Session, statement: "TextClause", values: Mapping[str, Any]
) -> list[Hit]:
    rows = await session.execute(statement, values)
    return [
        Hit(
            file_id=row.file_id,
            filename=row.filename,
            score=min(1.0, row.score),
            attributes=row.attributes,
            text=row.content,
            char_start=row.char_start,
            char_end=row.char_end,
            page_from=row.page_from,
            page_to=row.page_to,
            page_starts=row.page_starts,
        )
        for row in rows
    ]


def _as_text(vector: "NDArray[np.float32]") -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(f"{value:.7g}" for value in vector.tolist()) + "]"
