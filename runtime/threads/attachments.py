"""Files of messages: those it shows, and those it brings for the tools of its thread."""

import contextlib
from collections.abc import Sequence
from typing import Any

from runtime.db.transaction import Session
from runtime.errors import InvalidRequest, NotFound
from runtime.files.service import files_of_ids
from runtime.gateway import Embedder
from runtime.projects.models import Project
from runtime.threads.content import store_content
from runtime.threads.models import Thread
from runtime.vector_stores.files import add_files
from runtime.vector_stores.lookup import get_store
from runtime.vector_stores.models import VectorStore
from runtime.vector_stores.service import create_store
from runtime.wire.messages import CreateMessageRequest, MessageAttachment
from runtime.wire.shared import MAX_CODE_FILES

# A store that was made for a thread goes a week after its last use, as OpenAI's did.
STORE_DAYS = 7


async def attach_files(
    session: Session,
    project: Project,
    thread: Thread,
    attachments: Sequence[MessageAttachment],
    *,
    embedder: Embedder,
) -> None:
    """Hand attached files to the tools they are for, on a thread whose row is locked.

    Raises:
        NotFound: a file that this project does not have.
        InvalidRequest: more files than the code interpreter takes.
    """
    for_code: list[str] = []
    for_search: list[str] = []
    await check_attached(session, project, attachments)
    for attachment in attachments:
        for tool in attachment.tools:
            wanted = for_code if tool.type == "code_interpreter" else for_search
            wanted.append(attachment.file_id)
    if for_code:
        _give_to_code(thread, for_code)
    if for_search:
        await _give_to_search(session, project, thread, for_search, embedder)


async def check_attached(
    session: Session, project: Project, attachments: Sequence[MessageAttachment]
) -> None:
    """See that the files exist that are to be attached.

    Raises:
        NotFound: one that this project does not have.
    """
    await files_of_ids(
        session,
        project,
        [attachment.file_id for attachment in attachments],
        param=[f"attachments[{index}].file_id" for index in range(len(attachments))],
    )


async def check_files(
    session: Session, project: Project, message: CreateMessageRequest
) -> None:
    """See that the files exist which a message names that is to be added later.

    Raises:
        NotFound: it names a file that this project does not have.
    """
    await check_images(session, project, store_content(message.content))
    await check_attached(session, project, message.attachments or ())


async def check_images(
    session: Session, project: Project, content: list[dict[str, Any]]
) -> None:
    """See that the image files exist which the content of a message shows.

    Raises:
        NotFound: one of them is not in this project.
    """
    pictures = [
        (part["file_id"], f"content[{index}].image_file.file_id")
        for index, part in enumerate(content)
        if "file_id" in part
    ]
    await files_of_ids(
        session,
        project,
        [file_id for file_id, _ in pictures],
        param=[place for _, place in pictures],
    )


def _give_to_code(thread: Thread, file_ids: list[str]) -> None:
    resources = thread.tool_resources
    present = resources.get("code_interpreter", {}).get("file_ids", [])
    together = list(dict.fromkeys([*present, *file_ids]))
    if len(together) > MAX_CODE_FILES:
        raise InvalidRequest(
            f"A thread holds at most {MAX_CODE_FILES} files for code_interpreter.",
            param="attachments",
        )
    thread.tool_resources = {**resources, "code_interpreter": {"file_ids": together}}


async def _give_to_search(
    session: Session,
    project: Project,
    thread: Thread,
    file_ids: list[str],
    embedder: Embedder,
) -> None:
    resources = thread.tool_resources
    store_ids = resources.get("file_search", {}).get("vector_store_ids", [])
    store = await _present_store(session, project, store_ids)
    if store is not None:
        await add_files(session, project, store, file_ids)
        return
    store = await create_store(
        session,
        project,
        embedder=embedder,
        file_ids=file_ids,
        expires_after_days=STORE_DAYS,
    )
    thread.tool_resources = {
        **resources,
        "file_search": {"vector_store_ids": [store.id]},
    }


async def _present_store(
    session: Session, project: Project, store_ids: Sequence[str]
) -> VectorStore | None:
    # None if it was deleted meanwhile, too: another takes its place then, as nobody
    # could attach to this thread again.
    for store_id in store_ids:
        with contextlib.suppress(NotFound):
            return await get_store(session, project, store_id)
    return None
