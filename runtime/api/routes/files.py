"""`/files`: upload, list, get, download, delete."""

import contextlib

from fastapi import BackgroundTasks, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.datastructures import FormData

from runtime.api.deps import (
    CurrentProject,
    FilesCursor,
    ResourcesDep,
    Session,
    Unit,
)
from runtime.api.downloads import saved_as
from runtime.api.forms import (
    MAX_FIELDS,
    blocks_of,
    check_is_form,
    form_body,
    sent_file,
)
from runtime.api.published import BYTES
from runtime.api.router import Router
from runtime.errors import ApiError
from runtime.files import service as files
from runtime.files.models import File
from runtime.files.render import render_file
from runtime.resources import Resources
from runtime.vector_stores.removal import delete_file_everywhere
from runtime.wire.files import (
    CreateFileRequest,
    DeleteFileResponse,
    FilePurpose,
    ListFilesResponse,
    OpenAIFile,
)
from runtime.wire.refusals import explain

router = Router(tags=["files"])


@router.post("/files", openapi_extra=form_body("file", CreateFileRequest))
async def create_file(
    request: Request, project: CurrentProject, unit: Unit, resources: ResourcesDep
) -> OpenAIFile:
    """Upload a file, as `multipart/form-data`."""
    check_is_form(request)
    async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
        upload = sent_file(form, "file", resources.settings.max_file_bytes)
        fields = _fields(form)
        expires_after = fields.expires_after
        file = await files.store_file(
            unit,
            project,
            resources.storage,
            filename=upload.filename or "",
            purpose=fields.purpose,
            blocks=blocks_of(upload),
            media_type=upload.content_type,
            expires_after_seconds=expires_after.seconds if expires_after else None,
        )
    return render_file(file)


@router.get("/files")
async def list_files(
    project: CurrentProject,
    session: Session,
    cursor: FilesCursor,
    purpose: FilePurpose | None = None,
) -> ListFilesResponse:
    """The project's files."""
    page = await files.list_files(session, project, cursor, purpose)
    return ListFilesResponse.of(
        [render_file(file) for file in page.data], has_more=page.has_more
    )


@router.get("/files/{file_id}")
async def retrieve_file(
    file_id: str, project: CurrentProject, session: Session
) -> OpenAIFile:
    """One file, without its content."""
    return render_file(await files.get_file(session, project, file_id))


@router.get(
    "/files/{file_id}/content",
    response_class=StreamingResponse,
    responses={200: BYTES},
)
async def download_file(
    file_id: str, project: CurrentProject, resources: ResourcesDep
) -> StreamingResponse:
    """A file's bytes as they came, whatever its purpose (OpenAI's refuses some)."""
    async with resources.db.transaction() as session:
        file = await files.get_file(session, project, file_id)
    blocks = await files.open_content(resources.storage, file)
    return StreamingResponse(blocks, headers=_download_headers(file))


@router.delete("/files/{file_id}")
async def delete_file(
    file_id: str,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
    after: BackgroundTasks,
) -> DeleteFileResponse:
    """Delete a file, and take it out of every vector store."""
    file = await delete_file_everywhere(session, project, file_id)
    after.add_task(_remove_bytes, resources)
    return DeleteFileResponse(id=file.id)


async def _remove_bytes(resources: Resources) -> None:
    # Best effort: what stays behind is found by the sweeper.
    with contextlib.suppress(ApiError):
        await files.remove_bytes(resources.db, resources.storage)


def _fields(form: FormData) -> CreateFileRequest:
    # A second file is refused by the parser, so all else is text or misnamed.
    texts = {
        key: value if isinstance(value, str) else ""
        for key, value in form.multi_items()
        if key != "file"
    }
    try:
        return CreateFileRequest.from_form(texts)
    except ValidationError as error:
        raise explain(error.errors()) from error


def _download_headers(file: File) -> dict[str, str]:
    return {
        "content-type": file.media_type,
        "content-length": str(file.size_bytes),
        **saved_as(file.filename),
    }
