"""File search on real documents: how fast it is fed, how fast and how well it finds."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from runtime.ingest.chunk import split
from runtime.ingest.parse.document import Document
from runtime.vector_stores.search import RankingOptions
from tests.bench import rag
from tests.bench.floors import one_row_seconds
from tests.bench.measure import median
from tests.bench.report import Detail, Report
from tests.bench.setting import Setting

_SEED = 1
_BATCH = 64


async def measure(setting: Setting) -> Report:
    """Index the documents, ask a sample of the questions in three ways."""
    report = Report("File search: indexing and finding")
    if not (setting.rag_folder / "questions.jsonl").is_file():
        report.notes.append(
            f"NOT MEASURED: no documents and questions in {setting.rag_folder}. Give "
            "a folder with --rag; tests/bench/rag.py says what it holds."
        )
        return report
    count = setting.times(800, 40)
    questions = rag.read_questions(setting.rag_folder, count, seed=_SEED)
    with (
        setting.up() as up,
        rag.scratch_database(up.settings.effective_database_url) as database_url,
    ):
        async with rag.indexed(database_url, setting.rag_folder) as bench:
            await bench.ask(questions[:5], RankingOptions())  # warm
            outcomes = {
                name: await bench.ask(questions, ranking)
                for name, ranking in rag.WAYS.items()
            }
            alone = await _embedding_alone(bench, setting.rag_folder)
            asked = [question["question"] for question in questions[:100]]
            question = await _question_alone(bench, asked)
        row = await one_row_seconds(database_url, 200)
    report.floor = (
        "for indexing, the embedder alone, on texts already cut; for a question, its "
        "embedding and one row read."
    )
    report.add(
        "indexing",
        bench.tokens / bench.index_seconds,
        "tokens/s",
        floor=bench.tokens / alone,
        more_is_better=True,
    )
    hybrid = outcomes["hybrid"]
    floor = (question + row) * 1000
    report.add("a search, p50", hybrid.milliseconds(50), "ms", floor=floor)
    report.add("a search, p95", hybrid.milliseconds(95), "ms", floor=floor)
    report.details.append(_quality(outcomes))
    report.notes.append(
        f"{bench.tokens:,} tokens, {count} questions, ten hits each. Pipeline "
        "and search run in this process, on the Postgres of `assistants up`."
    )
    return report


async def _embedding_alone(bench: rag.Bench, folder: Path) -> float:
    """Seconds to embed the documents' windows, already cut, with nothing else to do."""
    tokenizer = bench.gateway.local_embedder.tokenizer
    embedded = 0.0
    for path in sorted((folder / "docs").glob("*.txt")):
        document = Document(await asyncio.to_thread(path.read_text, "utf-8"))
        _, windows = split(document, tokenizer=tokenizer)
        for at in range(0, len(windows), _BATCH):
            batch = [window.text for window in windows[at : at + _BATCH]]
            began = time.perf_counter()
            await bench.gateway.embedder.embed(batch)
            embedded += time.perf_counter() - began
    return embedded


async def _question_alone(bench: rag.Bench, questions: Sequence[str]) -> float:
    """Seconds to embed one question (median)."""
    taken = []
    for question in questions:
        began = time.perf_counter()
        await bench.gateway.embedder.embed([question])
        taken.append(time.perf_counter() - began)
    return median(taken)


def _quality(outcomes: dict[str, rag.Outcome]) -> Detail:
    columns = ["ranked by", "nDCG@10", "MRR", "R@1", "R@3", "R@5", "R@10", "p50 ms"]
    rows = []
    for name, found in outcomes.items():
        recalls = [f"{found.recall(k):.3f}" for k in (1, 3, 5, 10)]
        marks = [f"{found.ndcg:.4f}", f"{found.mrr:.3f}", *recalls]
        rows.append([name, *marks, f"{found.milliseconds(50):.1f}"])
    return Detail("Is the passage that answers the question found?", columns, rows)
