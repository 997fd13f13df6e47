"""`file_search`: what the model asks for is looked up in the thread's and the
assistant's stores, and handed over chunk by chunk, each under its marker."""

from typing import Any

from sqlalchemy import select

from runtime.db.transaction import DatabaseAway
from runtime.engine.sources import marker
from runtime.engine.tools.call import Call
from runtime.errors import ApiError
from runtime.gateway import ModelFailed
from runtime.runs.models import Run
from runtime.threads.models import Thread
from runtime.vector_stores.models import VectorStore
from runtime.vector_stores.search import (
    Hit,
    RankingOptions,
    search,
    wait_until_ready,
)

# The API's defaults; the second is for models with little room.
_DEFAULT_RESULTS = 20
_DEFAULT_FEW_RESULTS = 5
_LITTLE_ROOM = "gpt-3.5-turbo"
_MOST_RESULTS = 50
# A run waits this long for files that are still being read, as OpenAI's did.
_READY_SECONDS = 60


async def search_files(call: Call) -> None:
    """Answer one call with the passages found; their places are kept for citing."""
    query = call.item.body.get("query")
    if not query:
        await _answer_badly(call, 'Expected the arguments {"query": string}.')
        return
    options = _options(call.run)
    try:
        await wait_until_ready(
            call.engine.db, await _stores(call), timeout_seconds=_READY_SECONDS
        )
        # Asked anew: one may have been deleted while we waited for it.
        stores = await _stores(call)
        hits = await search(
            call.engine.db,
            call.engine.gateway,
            call.project,
            stores,
            query,
            max_num_results=options.get("max_num_results")
            or _default_results(call.run.model),
            ranking=_ranking(options),
        )
    except DatabaseAway:
        raise
    except (ApiError, ModelFailed) as error:
        await _answer_badly(call, error.message)
        return
    # Parallel searches of one turn must not share markers.
    first = (call.item.output_index or 0) * _MOST_RESULTS
    results = [_result(call, first + index, hit) for index, hit in enumerate(hits)]
    await call.record.answer(
        call.item,
        {"results": results, "ranking_options": _shown_ranking(options)},
    )


async def _answer_badly(call: Call, why: str) -> None:
    text = f"The search failed: {why}"
    await call.record.answer(call.item, {"text": text}, failed=True)


async def _stores(call: Call) -> list[VectorStore]:
    run = call.run
    async with call.engine.db.transaction() as session:
        thread = await session.get_one(Thread, run.thread_pk)
        ids = [
            store_id
            for resources in (thread.tool_resources, run.tool_resources)
            for store_id in resources.get("file_search", {}).get("vector_store_ids", ())
        ]
        # One that was deleted meanwhile is left out: the others still answer.
        query = select(VectorStore).where(
            VectorStore.project_id == run.project_id,
            VectorStore.id.in_(ids),
            VectorStore.deleted_at.is_(None),
        )
        return list(await session.scalars(query.order_by(VectorStore.pk)))


def _options(run: Run) -> dict[str, Any]:
    for tool in run.tools:
        if tool["type"] == "file_search":
            options: dict[str, Any] = tool.get("file_search") or {}
            return options
    return {}


def _default_results(model: str) -> int:
    is_small = model.startswith(_LITTLE_ROOM)
    return _DEFAULT_FEW_RESULTS if is_small else _DEFAULT_RESULTS


def _ranking(options: dict[str, Any]) -> RankingOptions | None:
    asked = options.get("ranking_options")
    if not asked:
        return None
    weights = asked.get("hybrid_search") or {}
    return RankingOptions(score_threshold=asked["score_threshold"], **weights)


def _shown_ranking(options: dict[str, Any]) -> dict[str, Any]:
    asked = options.get("ranking_options") or {}
    return {
        "ranker": "default_2024_08_21",
        "score_threshold": asked.get("score_threshold", 0.0),
    }


def _result(call: Call, index: int, hit: Hit) -> dict[str, Any]:
    return {
        "marker": marker(call.item.turn or 0, index, hit.filename),
        "file_id": hit.file_id,
        "file_name": hit.filename,
        "score": hit.score,
        "text": hit.text,
        "page": hit.page_from,
        "page_starts": hit.page_starts or [],
        "char_start": hit.char_start,
        "char_end": hit.char_end,
    }
