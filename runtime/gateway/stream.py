"""One streamed answer of an upstream, as the raw chunks of chat completions.

Imported only with the client: it pulls in the SDK.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import httpx2

from runtime.gateway.failures import ModelFailed
from runtime.gateway.retry import Breaker
from runtime.gateway.sse import event_data
from runtime.gateway.translate import (
    Asked,
    cut_off,
    error_in_stream,
    in_our_words,
    nonsense,
)

Chunk = dict[str, Any]

# How long to wait for a connection to end after [DONE], so that it can be used again.
_DRAIN_SECONDS = 0.1


class ChunkStream:
    """An answer that has begun. Iterate it once, and close it.

    `begin` waits for the first chunk that carries something, so that everything before
    that can still be tried again; what came until then is held and given first.
    """

    def __init__(
        self,
        response: httpx2.Response,
        *,
        asked: Asked,
        breaker: Breaker,
        between_tokens_timeout_seconds: float,
    ) -> None:
        self._asked = asked
        self._breaker = breaker
        self._timeout_seconds = between_tokens_timeout_seconds
        self._held: list[Chunk] = []
        self._chunks = _chunks(response, asked)

    async def begin(self) -> None:
        """Wait for the answer's first piece. The caller sets the time limit.

        Raises:
            ModelFailed: there is none; retryable where that makes sense.
        """
        async for chunk in self._chunks:
            self._held.append(chunk)
            if _carries_something(chunk):
                return
        if not any(_choices(chunk) for chunk in self._held):
            raise nonsense()

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        for chunk in self._held:
            yield chunk
        while (following := await self._next()) is not None:
            yield following

    async def _next(self) -> Chunk | None:
        try:
            with in_our_words(self._asked, begun=True):
                async with asyncio.timeout(self._timeout_seconds):
                    return await anext(self._chunks, None)
        except ModelFailed:
            self._breaker.note_broken_answer()
            raise

    async def aclose(self) -> None:
        """Hang up. An answer that was not read to its end costs its connection."""
        await self._chunks.aclose()


async def _chunks(response: httpx2.Response, asked: Asked) -> AsyncGenerator[Chunk]:
    media_type = response.headers.get("content-type", "")
    try:
        if "html" in media_type:
            raise nonsense(page=True)
        if "json" in media_type:
            # An upstream that does not stream: the whole answer is one chunk.
            yield _as_chunk(read_json(await response.aread(), asked))
            return
        async for chunk in _streamed_chunks(response, asked):
            yield chunk
    finally:
        await response.aclose()


async def _streamed_chunks(
    response: httpx2.Response, asked: Asked
) -> AsyncGenerator[Chunk]:
    finished = False
    received = response.aiter_bytes()
    async for data in event_data(received):
        if data.strip() == "[DONE]":
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    async for _ in received:
                        pass
            return
        chunk = read_json(data, asked)
        finished = finished or _says_why_it_ended(chunk)
        yield chunk
    if not finished:
        raise cut_off(begun=False)  # whether it had begun, only the reader knows


def read_json(text: str | bytes, asked: Asked) -> Chunk:
    """An upstream's JSON object.

    Raises:
        ModelFailed: it is none, or it is an error in a 200's clothes.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise nonsense() from error
    if not isinstance(value, dict):
        raise nonsense()
    if value.get("error") and not value.get("choices"):
        raise error_in_stream(value["error"], asked)
    return value


def _as_chunk(completion: Chunk) -> Chunk:
    choices = [
        {
            "index": choice.get("index", 0),
            "delta": choice.get("message") or {},
            "finish_reason": choice.get("finish_reason") or "stop",
        }
        for choice in _choices(completion)
    ]
    if not choices:
        raise nonsense()
    return {**completion, "object": "chat.completion.chunk", "choices": choices}


def _choices(chunk: Mapping[str, Any]) -> list[Chunk]:
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return []
    return [choice for choice in choices if isinstance(choice, dict)]


def _says_why_it_ended(chunk: Chunk) -> bool:
    return any(choice.get("finish_reason") for choice in _choices(chunk))


def _carries_something(chunk: Chunk) -> bool:
    """Whether a chunk is more than the greeting (a role and an empty text)."""
    return any(
        choice.get("finish_reason")
        or any(value for key, value in _delta(choice).items() if key != "role")
        for choice in _choices(chunk)
    )


def _delta(choice: Chunk) -> Chunk:
    delta = choice.get("delta") or choice.get("message")
    return delta if isinstance(delta, dict) else {}
