"""Assistants: create, get, list, modify, delete."""

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from runtime.assistants.models import Assistant
from runtime.assistants.tool_resources import settle_tool_resources
from runtime.db.paging import Cursor, Page, fetch_page
from runtime.db.transaction import Session
from runtime.errors import NotFound
from runtime.projects.models import Project
from runtime.wire.assistants import CreateAssistantRequest, ModifyAssistantRequest

if TYPE_CHECKING:
    from runtime.gateway import Embedder

# Fields whose value on the wire is the value in the row.
_PLAIN = (
    "name",
    "description",
    "instructions",
    "reasoning_effort",
    "temperature",
    "top_p",
)


async def create_assistant(
    session: Session,
    project: Project,
    asked: CreateAssistantRequest,
    *,
    embedder: "Embedder",
) -> Assistant:
    """Create an assistant, and the vector store that is asked for with it.

    Raises:
        NotFound: its tool resources name a file or a store this project does not have.
    """
    assistant = Assistant(project_id=project.id, model=asked.model)
    for field in _PLAIN:
        setattr(assistant, field, getattr(asked, field))
    _set_structured(assistant, asked)
    assistant.tool_resources = await settle_tool_resources(
        session, project, asked.tool_resources, embedder=embedder
    )
    session.add(assistant)
    await session.flush()
    return assistant


async def get_assistant(
    session: Session, project: Project, assistant_id: str, *, param: str | None = None
) -> Assistant:
    """An assistant of this project.

    Args:
        param: the request's field that named it, for the error.

    Raises:
        NotFound: there is none.
    """
    assistant = await session.scalar(
        select(Assistant).where(
            Assistant.project_id == project.id,
            Assistant.id == assistant_id,
            Assistant.deleted_at.is_(None),
        )
    )
    if assistant is None:
        raise NotFound("assistant", assistant_id, param=param)
    return assistant


async def list_assistants(
    session: Session, project: Project, cursor: Cursor
) -> Page[Assistant]:
    """A page of this project's assistants.

    Raises:
        InvalidRequest: a cursor is not in the list.
    """
    ever = select(Assistant).where(Assistant.project_id == project.id)
    return await fetch_page(
        session,
        ever.where(Assistant.deleted_at.is_(None)),
        cursor,
        id=Assistant.id,
        key=Assistant.pk,
        places=ever,
    )


async def modify_assistant(
    session: Session,
    project: Project,
    assistant_id: str,
    changes: ModifyAssistantRequest,
    *,
    embedder: "Embedder",
) -> Assistant:
    """Change what `changes` holds: a field left out stays, null clears it.

    Tool resources change a tool at a time: speaking of one leaves the other's as they
    are. Runs that exist keep what they copied.

    Raises:
        NotFound: this project has no such assistant, or not what its tools are to reach.
    """
    assistant = await get_assistant(session, project, assistant_id)
    fields = changes.model_fields_set
    if changes.model is not None:
        assistant.model = changes.model
    for field in _PLAIN:
        if field in fields:
            setattr(assistant, field, getattr(changes, field))
    _set_structured(assistant, changes)
    if "tool_resources" in fields:
        settled = await settle_tool_resources(
            session, project, changes.tool_resources, embedder=embedder
        )
        kept = {} if changes.tool_resources is None else assistant.tool_resources
        assistant.tool_resources = {**kept, **settled}
    await session.flush()
    return assistant


async def delete_assistant(
    session: Session, project: Project, assistant_id: str
) -> None:
    """Delete an assistant. Its runs, and the stores and files of its tools, stay.

    Raises:
        NotFound: this project has no such assistant.
    """
    assistant = await get_assistant(session, project, assistant_id)
    assistant.deleted_at = func.now()
    await session.flush()


def _set_structured(
    assistant: Assistant, asked: CreateAssistantRequest | ModifyAssistantRequest
) -> None:
    fields = asked.model_fields_set
    if asked.tools is not None and "tools" in fields:
        assistant.tools = [tool.model_dump() for tool in asked.tools]
    if "metadata" in fields:
        assistant.metadata_ = dict(asked.metadata or {})
    if "response_format" in fields:
        form = asked.response_format
        assistant.response_format = (
            form if isinstance(form, str) else form.model_dump() if form else "auto"
        )
