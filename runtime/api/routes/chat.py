"""`/chat/completions`: passed through to whoever serves the model."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi.responses import Response, StreamingResponse

from runtime.api.deps import ResourcesDep
from runtime.api.published import CHAT_OR_STREAM
from runtime.api.router import Router
from runtime.errors import ApiError
from runtime.gateway import chat_completion, chat_completion_stream
from runtime.wire.chat import CreateChatCompletionRequest
from runtime.wire.errors import Error, ErrorResponse

router = Router(tags=["chat"])


@router.post("/chat/completions", responses={200: CHAT_OR_STREAM})
async def create_chat_completion(
    body: CreateChatCompletionRequest, resources: ResourcesDep
) -> Response:
    """One model answer, whole or streamed; parameters and answer pass unchanged."""
    if not body.stream:
        answer = await chat_completion(resources.gateway, body.as_sent())
        return Response(_json(answer), media_type="application/json")
    chunks = chat_completion_stream(resources.gateway, body.as_sent())
    # Until the first chunk is there, a failure still has an HTTP status to go with.
    first = await anext(chunks, None)
    return StreamingResponse(
        _events(first, chunks),
        media_type="text/event-stream",
        headers={"cache-control": "no-cache"},
    )


async def _events(
    first: dict[str, Any] | None, chunks: AsyncGenerator[dict[str, Any]]
) -> AsyncIterator[str]:
    async with aclosing(chunks):
        try:
            if first is not None:
                yield _event(first)
            async for chunk in chunks:
                yield _event(chunk)
        except ApiError as error:
            said = Error(
                message=error.message,
                type=error.type,
                param=error.param,
                code=error.code,
            )
            yield _event(ErrorResponse(error=said).model_dump())
            return
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {_json(data)}\n\n"


def _json(data: dict[str, Any]) -> str:
    # ASCII, so that half a surrogate pair from an upstream does no harm.
    return json.dumps(data)
