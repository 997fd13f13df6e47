"""`/uploads`: announce a large file, add its parts, complete or cancel it."""

import contextlib

from fastapi import BackgroundTasks, Request
from starlette.datastructures import FormData

from runtime.api.deps import CurrentProject, ResourcesDep, Session, Unit
from runtime.api.forms import MAX_FIELDS, blocks_of, check_is_form, form_body, sent_file
from runtime.api.router import Router
from runtime.errors import ApiError
from runtime.files import uploads
from runtime.files.parts import remove_parts
from runtime.files.render import render_part, render_upload
from runtime.resources import Resources
from runtime.wire.refusals import explain
from runtime.wire.uploads import (
    MAX_PART_BYTES,
    CompleteUploadRequest,
    CreateUploadRequest,
    Upload,
    UploadPart,
)

router = Router(tags=["uploads"])


@router.post("/uploads")
async def create_upload(
    body: CreateUploadRequest, project: CurrentProject, session: Session
) -> Upload:
    """Announce a file of up to 8 GB that comes in parts, within an hour."""
    upload = await uploads.create_upload(
        session,
        project,
        filename=body.filename,
        purpose=body.purpose,
        size_bytes=body.bytes,
        media_type=body.mime_type,
        expires_after_seconds=body.expires_after.seconds
        if body.expires_after
        else None,
    )
    return render_upload(upload)


@router.post("/uploads/{upload_id}/parts", openapi_extra=form_body("data"))
async def add_upload_part(
    upload_id: str,
    request: Request,
    project: CurrentProject,
    unit: Unit,
    resources: ResourcesDep,
) -> UploadPart:
    """Add a part of up to 64 MB, as `data` of a `multipart/form-data`."""
    check_is_form(request)
    async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
        _check_fields(form)
        data = sent_file(form, "data", MAX_PART_BYTES)
        part = await uploads.add_part(
            unit, project, resources.storage, upload_id, blocks_of(data)
        )
    return render_part(part, upload_id)


@router.post("/uploads/{upload_id}/complete")
async def complete_upload(
    upload_id: str,
    body: CompleteUploadRequest,
    project: CurrentProject,
    unit: Unit,
    resources: ResourcesDep,
    after: BackgroundTasks,
) -> Upload:
    """Make a file of the parts, in the order in which they are named."""
    upload, file = await uploads.complete_upload(
        unit,
        project,
        resources.storage,
        upload_id,
        part_ids=body.part_ids,
        md5=body.md5,
    )
    after.add_task(_remove_parts, resources)
    return render_upload(upload, file)


@router.post("/uploads/{upload_id}/cancel")
async def cancel_upload(
    upload_id: str,
    project: CurrentProject,
    session: Session,
    resources: ResourcesDep,
    after: BackgroundTasks,
) -> Upload:
    """Give an upload up, and the parts that have come."""
    upload = await uploads.cancel_upload(session, project, upload_id)
    after.add_task(_remove_parts, resources)
    return render_upload(upload)


async def _remove_parts(resources: Resources) -> None:
    # Best effort: what stays behind is found by the sweeper.
    with contextlib.suppress(ApiError):
        await remove_parts(resources.db, resources.storage)


def _check_fields(form: FormData) -> None:
    for name in form:
        if name != "data":
            raise explain([{"type": "extra_forbidden", "loc": (name,), "input": ""}])
