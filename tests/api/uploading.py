"""Uploads in tests: what announces one, and one that has its parts."""

from typing import Any

from openai import AsyncOpenAI
from openai.types import Upload as UploadObject

ANNOUNCED: dict[str, Any] = {
    "filename": "notes.txt",
    "purpose": "assistants",
    "bytes": 6,
    "mime_type": "text/plain",
}


async def begin(
    openai: AsyncOpenAI, *contents: bytes
) -> tuple[UploadObject, list[str]]:
    """An upload, and the ids of its parts."""
    upload = await openai.uploads.create(
        filename="notes.txt",
        purpose="assistants",
        bytes=sum(map(len, contents)),
        mime_type="text/plain",
    )
    parts = [await openai.uploads.parts.create(upload.id, data=c) for c in contents]
    return upload, [part.id for part in parts]
