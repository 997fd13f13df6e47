"""How well, and how fast, file search finds the passage that answers a question.

    python -m tests.bench.rag --database-url postgresql+psycopg://… [--questions 800]

Indexes a folder's documents with the real pipeline into a scratch database, asks a
seeded sample of its questions, and prints nDCG@10, recall, MRR and times. The folder
holds `docs/*.txt` and `questions.jsonl`, each line with `question`, `answers`, the gold
`file` and the gold paragraph's `gold_start` and `gold_end`. A hit is relevant when it is
of that file and its text (NFKC, blanks collapsed, lower case) holds an answer with 20
characters of the gold paragraph either side; the first relevant hit counts.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import random
import re
import statistics
import tempfile
import time
import unicodedata
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import structlog
from psycopg import sql
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from runtime.db import Database
from runtime.db.migrate import upgrade
from runtime.files.service import create_file, stored_bytes
from runtime.files.storage import Storage
from runtime.gateway import Gateway, UpstreamConfig
from runtime.ingest.pipeline import Ingest, ingest_waiting
from runtime.projects.models import Project
from runtime.vector_stores.models import Chunk, StoreFile, StoreFileStatus, VectorStore
from runtime.vector_stores.search import Hit, RankingOptions, search
from runtime.vector_stores.service import create_store

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "bench" / "rag"
_CONTEXT_CHARACTERS = 20
_HITS = 10

WAYS = {
    "hybrid": RankingOptions(),
    "text only": RankingOptions(embedding_weight=0, text_weight=1),
    "vector only": RankingOptions(embedding_weight=1, text_weight=0),
}


@dataclass(slots=True)
class Outcome:
    """The place of the first relevant hit (None: not among ten) and the time, a question."""

    places: list[int | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def recall(self, k: int) -> float:
        return self._mean([float(place <= k) for place in self._found()])

    @property
    def ndcg(self) -> float:
        return self._mean([1 / math.log2(place + 1) for place in self._found()])

    @property
    def mrr(self) -> float:
        return self._mean([1 / place for place in self._found()])

    def milliseconds(self, percent: int) -> float:
        return statistics.quantiles(self.seconds, n=100)[percent - 1] * 1000

    def _found(self) -> list[int]:
        return [place for place in self.places if place is not None]

    def _mean(self, gains: Sequence[float]) -> float:
        return sum(gains) / len(self.places)


@dataclass(frozen=True, slots=True)
class Bench:
    """A scratch database with the folder's documents in one store."""

    db: Database
    gateway: Gateway
    project: Project
    store: VectorStore
    tokens: int
    index_seconds: float

    async def ask(
        self, questions: Sequence[dict[str, Any]], ranking: RankingOptions
    ) -> Outcome:
        outcome = Outcome()
        for question in questions:
            started = time.perf_counter()
            hits = await search(
                self.db,
                self.gateway,
                self.project,
                [self.store],
                question["question"],
                max_num_results=_HITS,
                ranking=ranking,
            )
            outcome.seconds.append(time.perf_counter() - started)
            outcome.places.append(_place(hits, question))
        return outcome


def _place(hits: Sequence[Hit], question: dict[str, Any]) -> int | None:
    for place, hit in enumerate(hits, 1):
        if hit.filename == question["file"]:
            text = _normal(hit.text)
            if any(needle in text for needle in question["needles"]):
                return place
    return None


def read_questions(folder: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """A sample of the folder's questions, each with the texts that answer it."""
    lines = (folder / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    chosen = random.Random(seed).sample(questions, min(count, len(questions)))
    for question in chosen:
        text = (folder / "docs" / question["file"]).read_text("utf-8")
        paragraph = text[question["gold_start"] : question["gold_end"]]
        question["needles"] = {
            needle
            for answer in question["answers"]
            for needle in _needles(paragraph, answer)
        }
    return chosen


def _needles(paragraph: str, answer: str) -> Iterator[str]:
    for found in re.finditer(re.escape(answer), paragraph):
        start = max(0, found.start() - _CONTEXT_CHARACTERS)
        yield _normal(paragraph[start : found.end() + _CONTEXT_CHARACTERS])


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower()


@contextlib.contextmanager
def scratch_database(database_url: str) -> Iterator[str]:
    """A database of its own on that server, with all tables, dropped afterwards."""
    name = f"assistants_bench_{os.getpid()}"
    url = make_url(database_url)
    server = url.set(drivername="postgresql").render_as_string(hide_password=False)
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
        sql.Identifier(name)
    )
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(create)
        try:
            scratch = url.set(database=name).render_as_string(hide_password=False)
            upgrade(scratch)
            yield scratch
        finally:
            connection.execute(drop)


@contextlib.asynccontextmanager
async def indexed(database_url: str, folder: Path) -> AsyncIterator[Bench]:
    """The folder's documents, made searchable."""
    db = Database(database_url)
    gateway = Gateway.open(
        UpstreamConfig(base_url=None, api_key=None),
        embedding_model="local",
        embedding_threads=os.cpu_count() or 1,
    )
    with tempfile.TemporaryDirectory() as directory:
        storage = Storage(f"file://{directory}")
        try:
            project, store = await _upload(db, gateway, storage, folder)
            started = time.perf_counter()
            await ingest_waiting(
                Ingest(db=db, gateway=gateway, storage=storage, owner="bench")
            )
            seconds = time.perf_counter() - started
            tokens = await _tokens(db, store)
            yield Bench(db, gateway, project, store, tokens, seconds)
        finally:
            await gateway.close()
            await db.close()


async def _upload(
    db: Database, gateway: Gateway, storage: Storage, folder: Path
) -> tuple[Project, VectorStore]:
    async with db.transaction() as session:
        project = Project(name="bench")
        session.add(project)
    file_ids = []
    for path in sorted((folder / "docs").glob("*.txt")):
        async with (
            stored_bytes(storage, _blocks(path)) as stored,
            db.transaction() as session,
        ):
            file = await create_file(
                session,
                project,
                stored=stored,
                filename=path.name,
                purpose="assistants",
            )
            file_ids.append(file.id)
    async with db.transaction() as session:
        store = await create_store(
            session, project, embedder=gateway.embedder, file_ids=file_ids
        )
    return project, store


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(path.read_bytes)


async def _tokens(db: Database, store: VectorStore) -> int:
    """How many tokens the indexed files have, each counted once."""
    unfinished = select(func.count()).where(
        StoreFile.store_pk == store.pk, StoreFile.status != StoreFileStatus.COMPLETED
    )
    # Chunks overlap: a file's tokens are its chunks', as its length is to theirs.
    per_file = (
        select(
            (
                func.sum(Chunk.tokens)
                * func.max(Chunk.char_end)
                / func.sum(Chunk.char_end - Chunk.char_start)
            ).label("tokens")
        )
        .where(Chunk.store_pk == store.pk)
        .group_by(Chunk.store_file_pk)
        .subquery()
    )
    async with db.transaction() as session:
        if await session.scalar(unfinished):
            raise SystemExit("Some documents could not be indexed.")
        return int(await session.scalar(select(func.sum(per_file.c.tokens))) or 0)


async def run(database_url: str, folder: Path, count: int, seed: int) -> None:
    """Index, ask every way, print."""
    questions = read_questions(folder, count, seed)
    async with indexed(database_url, folder) as bench:
        rate = bench.tokens / bench.index_seconds
        print(
            f"indexed {bench.tokens:,} tokens in {bench.index_seconds:.1f} s: "
            f"{rate:,.0f} tokens/s"
        )
        await bench.ask(questions[:5], RankingOptions())  # warm
        print(f"{len(questions)} questions, {_HITS} hits each")
        print("             nDCG@10  MRR   R@1   R@3   R@5   R@10   p50 ms  p95 ms")
        for name, ranking in WAYS.items():
            outcome = await bench.ask(questions, ranking)
            recalls = "  ".join(f"{outcome.recall(k):.3f}" for k in (1, 3, 5, 10))
            print(
                f"{name:12} {outcome.ndcg:.4f}  {outcome.mrr:.3f}  {recalls}"
                f"  {outcome.milliseconds(50):6.1f}  {outcome.milliseconds(95):6.1f}"
            )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--database-url", required=True, help="a server with pgvector")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--questions", type=int, default=800)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    with scratch_database(options.database_url) as database_url:
        asyncio.run(run(database_url, options.folder, options.questions, options.seed))


if __name__ == "__main__":
    main()
