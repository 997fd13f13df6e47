"""What makes two requests the same: method, address, and what the body says."""

import hashlib
import json
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from runtime.api.forms import MAX_FIELDS, blocks_of, is_form


async def fingerprint_of(request: Request, *, reads_body: bool) -> bytes:
    """The SHA-256 of what is asked, whichever way it is written.

    Of JSON the values count and not the order of keys; of a form, its fields and the
    bytes of its file, as a client that tries again draws another boundary.

    Args:
        reads_body: FastAPI reads the body, as JSON; otherwise the route does, if it is
            a form, or nobody.

    Raises:
        HTTPException: the body is a form that cannot be read.
        TooLarge: the body has too many bytes.
    """
    body: Any
    if reads_body:
        body = await _json(request)
    elif is_form(request):
        body = ["form", await _fields(request)]
    else:
        body = ["bytes", await _bytes(request)]
    return hashlib.sha256(_written([*_address(request), body])).digest()


def _address(request: Request) -> list[Any]:
    query = sorted(request.query_params.multi_items())
    return [request.method, request.url.path, query]


async def _json(request: Request) -> list[str]:
    body = await request.body()
    try:
        # FastAPI is given the same object: it is read once.
        value = await request.json() if body else None
        return ["json", hashlib.sha256(_written(value)).hexdigest()]
    except (ValueError, RecursionError):
        # The route will say what is wrong with it.
        return ["bytes", hashlib.sha256(body).hexdigest()]


def _written(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


async def _fields(request: Request) -> list[list[str]]:
    form = await request.form(max_files=1, max_fields=MAX_FIELDS)
    return sorted([[name, *await _facts(value)] for name, value in form.multi_items()])


async def _facts(value: UploadFile | str) -> list[str]:
    if isinstance(value, str):
        return [value]
    digest = hashlib.sha256()
    async for block in blocks_of(value):
        digest.update(block)
    await value.seek(0)
    return [value.filename or "", value.content_type or "", digest.hexdigest()]


async def _bytes(request: Request) -> str:
    # As they come: a route that reads no body has no use for it in memory.
    digest = hashlib.sha256()
    async for block in request.stream():
        digest.update(block)
    return digest.hexdigest()
