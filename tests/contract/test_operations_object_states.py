"""Messages, files and stores in each of their states, alone and in lists."""

from datetime import timedelta
from typing import Any, get_args

import httpx2
import pytest
from sqlalchemy import insert

from runtime.clock import now
from runtime.threads.models import ItemStatus
from runtime.vector_stores.models import BatchFile, FileBatch, StoreFileStatus
from runtime.wire.files import FilePurpose
from runtime.wire.messages import MessageIncompleteReason
from runtime.wire.vector_stores import VectorStoreFileErrorCode
from tests.contract import official, spec
from tests.support.make import Make

pytestmark = spec.needs_document

Json = dict[str, Any]

_QUOTE = {
    "kind": "file_citation",
    "file_id": "file-x",
    "start": 2,
    "marker": "【0:0†a】",
}
_PARTS: list[Json] = [
    {"type": "text", "text": "Ja 🙂", "annotations": [_QUOTE]},
    {
        "type": "text",
        "text": "sandbox:/mnt/data/a.csv",
        "annotations": [
            {**_QUOTE, "kind": "file_path", "start": 0, "marker": "sandbox:/mnt/a"}
        ],
    },
    {"type": "image", "file_id": "file-x", "detail": "high"},
    {"type": "image", "file_id": "file-x", "detail": None},
    {"type": "image", "url": "https://example.com/a.png", "detail": "low"},
    {"type": "refusal", "text": "No."},
]
_TOOLS = [{"type": "file_search"}, {"type": "code_interpreter"}]


async def test_a_message_with_all_kinds_of_parts(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    attached = [{"file_id": "file-x", "tools": _TOOLS}]
    body = {"content": _PARTS, "attachments": attached}
    message = await make.message(thread, role="assistant", body=body)

    got = await official.shown(api, f"/threads/{thread.id}/messages", message.id)

    assert got["attachments"] == attached
    assert [part["type"] for part in got["content"]] == [
        "text",
        "text",
        "image_file",
        "image_file",
        "image_url",
        "refusal",
    ]


@pytest.mark.parametrize("reason", [None, *get_args(MessageIncompleteReason)])
async def test_a_message_that_is_not_whole(
    api: httpx2.AsyncClient, make: Make, reason: str | None
) -> None:
    thread = await make.thread()
    status = ItemStatus.INCOMPLETE if reason else ItemStatus.IN_PROGRESS
    ended_at = now() if reason else None
    message = await make.message(
        thread,
        role="assistant",
        status=status,
        incomplete_reason=reason,
        completed_at=ended_at,
    )

    got = await official.shown(api, f"/threads/{thread.id}/messages", message.id)

    assert got["status"] == status
    assert got["incomplete_details"] == (reason and {"reason": reason})
    assert (got["incomplete_at"] is not None) == (reason is not None)


@pytest.mark.parametrize("purpose", get_args(FilePurpose))
async def test_a_file_of_each_purpose(
    api: httpx2.AsyncClient, make: Make, purpose: str
) -> None:
    file = await make.file(purpose=purpose)

    got = await official.shown(api, "/files", file.id, purpose=purpose)

    assert (got["purpose"], got["status"]) == (purpose, "processed")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, None) for status in StoreFileStatus),
        *((StoreFileStatus.FAILED, c) for c in get_args(VectorStoreFileErrorCode)),
    ],
)
async def test_a_stores_file_and_its_store_in_each_status(
    api: httpx2.AsyncClient, make: Make, status: StoreFileStatus, code: str | None
) -> None:
    store = await make.store()
    # Of no worker's concern for the moment.
    later = now() + timedelta(hours=1)
    row = await make.store_file(
        store,
        status=status,
        error_code=code,
        error_message=code and "It broke.",
        available_at=later,
    )

    got = await official.shown(api, f"/vector_stores/{store.id}/files", row.file_id)
    of_store = await official.shown(api, "/vector_stores", store.id)

    assert got["status"] == status
    assert got["last_error"] == (code and {"code": code, "message": "It broke."})
    reading = status is StoreFileStatus.IN_PROGRESS
    assert of_store["status"] == ("in_progress" if reading else "completed")
    assert of_store["file_counts"][status] == of_store["file_counts"]["total"] == 1


async def test_a_store_that_expires_and_one_that_has(
    api: httpx2.AsyncClient, make: Make
) -> None:
    day = timedelta(days=1)
    for expires_at, status in ((now() + day, "completed"), (now() - day, "expired")):
        store = await make.store(expires_after_days=1, expires_at=expires_at)

        got = await official.shown(api, "/vector_stores", store.id)

        assert got["status"] == status
        assert got["expires_after"] == {"anchor": "last_active_at", "days": 1}


_S = StoreFileStatus


@pytest.mark.parametrize(
    ("statuses", "cancelled", "status"),
    [
        ([_S.IN_PROGRESS, _S.FAILED], False, "in_progress"),
        ([_S.COMPLETED, _S.FAILED], False, "completed"),
        ([_S.FAILED, _S.FAILED], False, "failed"),
        ([_S.COMPLETED, _S.CANCELLED], True, "cancelled"),
    ],
)
async def test_a_batch_in_each_status(
    api: httpx2.AsyncClient,
    make: Make,
    statuses: list[StoreFileStatus],
    cancelled: bool,
    status: str,
) -> None:
    store = await make.store()
    later = now() + timedelta(hours=1)
    rows = [
        await make.store_file(store, status=each, available_at=later)
        for each in statuses
    ]
    batch = FileBatch(
        project_id=store.project_id,
        store_pk=store.pk,
        cancelled_at=now() if cancelled else None,
    )
    async with make.db.transaction() as session:
        session.add(batch)
        await session.flush()
        pairs = [{"batch_pk": batch.pk, "store_file_pk": row.pk} for row in rows]
        await session.execute(insert(BatchFile), pairs)

    path = f"/vector_stores/{store.id}/file_batches/{batch.id}"
    got = official.check_answer(await api.get(path))
    listed = official.check_answer(await api.get(f"{path}/files"))

    assert got["status"] == status
    assert got["file_counts"]["total"] == len(listed["data"]) == 2
