"""Files: the object, its expiry, and the form that uploads one."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field

from runtime.wire.base import NotNull, Omissible, UnixSeconds, WireModel
from runtime.wire.paging import Listed, Page

MAX_FILE_BYTES = 512 * 1024 * 1024

FileStatus = Literal["uploaded", "processed", "error"]
UploadPurpose = Literal[
    "assistants", "batch", "fine-tune", "vision", "user_data", "evals"
]
FilePurpose = Literal[
    "assistants",
    "assistants_output",
    "batch",
    "batch_output",
    "fine-tune",
    "fine-tune-results",
    "vision",
    "user_data",
    # Not in the official object's list, though the official upload takes it: a file
    # accepted must be a file that can be shown.
    "evals",
]


class OpenAIFile(Listed):
    object: Literal["file"] = "file"
    bytes: int
    created_at: UnixSeconds
    filename: str
    purpose: FilePurpose
    status: FileStatus
    expires_at: Omissible[UnixSeconds] = None
    status_details: Omissible[str] = None


class FileExpirationAfter(WireModel):
    """When a file goes by itself: one hour to thirty days after it came."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3_600, le=2_592_000)]


class CreateFileRequest(WireModel):
    """The fields of the upload form beside the file itself, which the route streams."""

    purpose: UploadPurpose
    expires_after: NotNull[FileExpirationAfter] = None

    @classmethod
    def from_form(cls, fields: Mapping[str, str]) -> Self:
        """Read the form's text fields, where `expires_after[seconds]` is one key.

        Raises:
            ValidationError: a field is unknown, missing or out of range.
        """
        body: dict[str, object] = {}
        expiry: dict[str, object] = {}
        for key, value in fields.items():
            if key.startswith("expires_after[") and key.endswith("]"):
                expiry[key.removeprefix("expires_after[")[:-1]] = value
            else:
                body[key] = value
        if expiry:
            # A form knows only text, so its number is read here, once.
            seconds = expiry.get("seconds")
            if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():
                expiry["seconds"] = int(seconds[:20])
            body["expires_after"] = expiry
        return cls.model_validate(body)


class DeleteFileResponse(WireModel):
    """Alone among deletions, its object is not `….deleted`."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


class ListFilesResponse(Page[OpenAIFile]):
    """Newest first unless asked otherwise."""
