"""Uploads: a large file brought in parts."""

from typing import Annotated, Literal

from pydantic import Field

from runtime.wire.base import (
    NonEmptyText,
    NotNull,
    Omissible,
    Text,
    UnixSeconds,
    WireModel,
)
from runtime.wire.files import FileExpirationAfter, OpenAIFile, UploadPurpose

MAX_UPLOAD_BYTES = 8 * 1024**3
MAX_PART_BYTES = 64 * 1024 * 1024
UPLOAD_LIFETIME_SECONDS = 3_600

UploadStatus = Literal["pending", "completed", "cancelled", "expired"]


class Upload(WireModel):
    """An upload under way; `file` appears when it is complete."""

    id: str
    object: Literal["upload"] = "upload"
    created_at: UnixSeconds
    filename: str
    bytes: int
    purpose: str
    status: UploadStatus
    expires_at: UnixSeconds
    file: Omissible[OpenAIFile] = None


class UploadPart(WireModel):
    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: UnixSeconds
    upload_id: str


class CreateUploadRequest(WireModel):
    """What will come: its name, its size in bytes, its media type."""

    filename: NonEmptyText
    purpose: UploadPurpose
    bytes: Annotated[int, Field(ge=1, le=MAX_UPLOAD_BYTES)]
    mime_type: Text
    expires_after: NotNull[FileExpirationAfter] = None


class CompleteUploadRequest(WireModel):
    """The parts in their order, and if wished the MD5 of the whole, in hexadecimal."""

    part_ids: list[Text]
    md5: NotNull[Text] = None
