"""Files and uploads: row → wire."""

from typing import cast

from runtime.clock import unix
from runtime.files.models import File, Upload, UploadPart
from runtime.wire.files import FilePurpose, OpenAIFile
from runtime.wire.uploads import Upload as UploadObject
from runtime.wire.uploads import UploadPart as UploadPartObject


def render_file(file: File) -> OpenAIFile:
    """A file as the API shows it.

    `status` is always `processed`: the bytes are whole before the row is, and the SDK's
    `wait_for_processing` ends on that word and not on `uploaded`.
    """
    return OpenAIFile(
        id=file.id,
        bytes=file.size_bytes,
        created_at=unix(file.created_at),
        filename=file.filename,
        purpose=cast(FilePurpose, file.purpose),
        status="processed",
        expires_at=unix(file.expires_at),
    )


def render_upload(upload: Upload, file: File | None = None) -> UploadObject:
    """An upload as the API shows it; a completed one with its file."""
    return UploadObject(
        id=upload.id,
        created_at=unix(upload.created_at),
        filename=upload.filename,
        bytes=upload.size_bytes,
        purpose=upload.purpose,
        status=upload.status.value,
        expires_at=unix(upload.expires_at),
        file=None if file is None else render_file(file),
    )


def render_part(part: UploadPart, upload_id: str) -> UploadPartObject:
    """A part of an upload as the API shows it."""
    return UploadPartObject(
        id=part.id, created_at=unix(part.created_at), upload_id=upload_id
    )
