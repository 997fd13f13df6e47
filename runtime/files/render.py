"""Files: row → wire."""

from typing import cast

from runtime.clock import unix
from runtime.files.models import File
from runtime.wire.files import FilePurpose, OpenAIFile


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
