"""`/assistants`: create, list, get, modify, delete."""

from runtime.api.deps import CurrentProject, ListCursor, ResourcesDep, Session
from runtime.api.router import Router
from runtime.assistants import service as assistants
from runtime.assistants.render import render_assistant
from runtime.wire.assistants import (
    AssistantObject,
    CreateAssistantRequest,
    DeleteAssistantResponse,
    ListAssistantsResponse,
    ModifyAssistantRequest,
)

router = Router(tags=["assistants"])


@router.post("/assistants")
async def create_assistant(
    body: CreateAssistantRequest,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
) -> AssistantObject:
    """Create an assistant."""
    return render_assistant(
        await assistants.create_assistant(
            session, project, body, embedder=resources.gateway.embedder
        )
    )


@router.get("/assistants")
async def list_assistants(
    project: CurrentProject, session: Session, cursor: ListCursor
) -> ListAssistantsResponse:
    """The project's assistants."""
    page = await assistants.list_assistants(session, project, cursor)
    return ListAssistantsResponse.of(
        [render_assistant(assistant) for assistant in page.data],
        has_more=page.has_more,
    )


@router.get("/assistants/{assistant_id}")
async def get_assistant(
    assistant_id: str, project: CurrentProject, session: Session
) -> AssistantObject:
    """One assistant."""
    return render_assistant(
        await assistants.get_assistant(session, project, assistant_id)
    )


@router.post("/assistants/{assistant_id}")
async def modify_assistant(
    assistant_id: str,
    body: ModifyAssistantRequest,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
) -> AssistantObject:
    """Change an assistant: a field left out stays, null clears it."""
    return render_assistant(
        await assistants.modify_assistant(
            session, project, assistant_id, body, embedder=resources.gateway.embedder
        )
    )


@router.delete("/assistants/{assistant_id}")
async def delete_assistant(
    assistant_id: str, project: CurrentProject, session: Session
) -> DeleteAssistantResponse:
    """Delete an assistant."""
    await assistants.delete_assistant(session, project, assistant_id)
    return DeleteAssistantResponse(id=assistant_id)
