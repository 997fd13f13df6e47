"""What the tools of an assistant or a thread may reach: checked, and made if need be."""

from typing import TYPE_CHECKING, Any

from runtime.db.transaction import Session
from runtime.files.service import files_of_ids
from runtime.projects.models import Project
from runtime.vector_stores.service import create_store, stores_of_ids
from runtime.wire.assistants import (
    CreateToolResources,
    CreateToolResourcesFileSearch,
    VectorStoreHelper,
)
from runtime.wire.shared import ToolResources, ToolResourcesFileSearch

if TYPE_CHECKING:
    from runtime.gateway import Embedder


async def settle_tool_resources(
    session: Session,
    project: Project,
    asked: CreateToolResources | ToolResources | None,
    *,
    embedder: "Embedder",
    new_stores_expire_after_days: int | None = None,
) -> dict[str, Any]:
    """See to it that everything named is there, and make the stores that are to be made.

    Returns:
        What a row keeps, in the shape of the wire's `ToolResources`: ids only, and only
        the tools that were spoken of.

    Raises:
        NotFound: a file or a store is not in this project.
    """
    settled: dict[str, Any] = {}
    if asked is None:
        return settled
    if asked.code_interpreter is not None:
        files = await files_of_ids(
            session,
            project,
            asked.code_interpreter.file_ids,
            param="tool_resources.code_interpreter.file_ids",
        )
        settled["code_interpreter"] = {"file_ids": [file.id for file in files]}
    if asked.file_search is not None:
        store_ids = await _settle_stores(
            session,
            project,
            asked.file_search,
            embedder=embedder,
            expires_after_days=new_stores_expire_after_days,
        )
        settled["file_search"] = {"vector_store_ids": store_ids}
    return settled


async def _settle_stores(
    session: Session,
    project: Project,
    asked: CreateToolResourcesFileSearch | ToolResourcesFileSearch,
    *,
    embedder: "Embedder",
    expires_after_days: int | None,
) -> list[str]:
    stores = await stores_of_ids(
        session,
        project,
        asked.vector_store_ids or [],
        param="tool_resources.file_search.vector_store_ids",
    )
    to_make: list[VectorStoreHelper] = []
    if isinstance(asked, CreateToolResourcesFileSearch):
        to_make = asked.vector_stores or []
    for index, helper in enumerate(to_make):
        stores.append(
            await create_store(
                session,
                project,
                embedder=embedder,
                file_ids=helper.file_ids or [],
                chunking=helper.chunking_strategy,
                metadata=helper.metadata,
                expires_after_days=expires_after_days,
                param=f"tool_resources.file_search.vector_stores[{index}].file_ids",
            )
        )
    return [store.id for store in stores]
