"""Multipart forms: the one file of a request, and its bytes in blocks."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from runtime.errors import InvalidRequest, TooLarge, UnsupportedMediaType

# More than any form has, with room to be told which one is unknown.
MAX_FIELDS = 20

_BLOCK_BYTES = 256 * 1024
_MEGABYTE = 1024 * 1024


def form_body(file: str, fields: type[BaseModel] | None = None) -> dict[str, Any]:
    """Describe a form for `/openapi.json`, as a route's `openapi_extra`.

    Routes read their forms themselves, so FastAPI does not see them.

    Args:
        file: the field of the file.
        fields: the fields beside it; those of a part of it are named `part[field]`.
    """
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {file: {"type": "string", "format": "binary", "minLength": 1}},
        "required": [file],
        "additionalProperties": False,
    }
    if fields is not None:
        _add_fields(schema, fields.model_json_schema())
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def _add_fields(schema: dict[str, Any], fields: dict[str, Any]) -> None:
    schema["required"] += fields["required"]
    for name, field in fields["properties"].items():
        if "$ref" not in field:
            schema["properties"][name] = field
            continue
        part = fields["$defs"][field["$ref"].rpartition("/")[2]]
        flat = {f"{name}[{key}]": inner for key, inner in part["properties"].items()}
        schema["properties"] |= flat
        # The part may be left out, but not half of it.
        needed = [f"{name}[{key}]" for key in part["required"]]
        schema.setdefault("dependentRequired", {}).update(dict.fromkeys(flat, needed))


def is_form(request: Request) -> bool:
    """Whether the body says that it is a form."""
    media_type = request.headers.get("content-type", "")
    return media_type.lower().startswith("multipart/form-data")


def check_is_form(request: Request) -> None:
    """See to it that the body is a form.

    Raises:
        UnsupportedMediaType: it says that it is something else.
    """
    if not is_form(request):
        media_type = request.headers.get("content-type", "")
        raise UnsupportedMediaType(
            "A file is uploaded as 'multipart/form-data'; this request says "
            f"'{media_type[:100] or 'nothing'}'."
        )


def sent_file(form: FormData, field: str, max_bytes: int) -> UploadFile:
    """The file that came in `field`.

    Raises:
        InvalidRequest: there is none, it is text without a file name, or it is empty.
        TooLarge: it has more than `max_bytes`.
    """
    file = form.get(field)
    if file is None:
        raise InvalidRequest(
            f"Missing required parameter: '{field}'.",
            param=field,
            code="missing_required_parameter",
        )
    if not isinstance(file, UploadFile):
        raise InvalidRequest(
            f"'{field}' must be a file with a name, not a text field.", param=field
        )
    size_bytes = file.size or 0
    if size_bytes == 0:
        raise InvalidRequest(f"The file in '{field}' is empty.", param=field)
    if size_bytes > max_bytes:
        raise TooLarge(
            f"The file is larger than {max_bytes / _MEGABYTE:g} MB, the limit here.",
            param=field,
        )
    return file


async def blocks_of(file: UploadFile) -> AsyncIterator[bytes]:
    """A file's bytes, a quarter of a megabyte at a time."""
    while block := await file.read(_BLOCK_BYTES):
        yield block
