"""Chat completions: as typed deltas for the engine, and passed through for callers."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from runtime.gateway.assemble import Assembler
from runtime.gateway.deltas import Delta, Usage
from runtime.gateway.failures import ModelFailed, as_request_error
from runtime.gateway.gateway import Gateway
from runtime.gateway.tokens import estimate_tokens, prompt_tokens

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What the engine asks of a model; None leaves a choice to the upstream.

    `messages`, `tools`, `tool_choice` and `response_format` are in chat completions'
    own form. `tool_choice` and `parallel_tool_calls` are sent only beside tools.
    """

    model: str
    messages: list[Json]
    tools: list[Json] = field(default_factory=list)
    tool_choice: str | Json | None = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_completion_tokens: int | None = None
    response_format: Json | None = None
    reasoning_effort: str | None = None


async def stream_chat(gateway: Gateway, request: ChatRequest) -> AsyncGenerator[Delta]:
    """One model answer, piece by piece: …, one `Usage`, one `Finished`.

    Failures are retried and handed to fallback models until the first delta is out, and
    never after: then the turn is the caller's to take again. Cancelling hangs up. Who
    leaves early should wrap this in `contextlib.aclosing`.

    Raises:
        ModelFailed: there was no usable answer, or it broke off.
    """
    body = _body(request)
    assembler = Assembler(body)
    async with aclosing(gateway.chat_chunks(body, adapt=True)) as chunks:
        async for chunk in chunks:
            for delta in assembler.feed(chunk):
                yield delta
    for delta in assembler.end():
        yield delta


def estimated_usage(request: ChatRequest, characters: int) -> Usage:
    """Tokens of an answer that broke off: who is to count them had no chance to.

    Args:
        characters: how much of the answer had come.
    """
    return Usage(
        prompt_tokens(_body(request)),
        0,
        estimate_tokens(characters),
        0,
        estimated=True,
    )


async def chat_completion(gateway: Gateway, body: Mapping[str, Any]) -> Json:
    """Pass a chat completion through: the upstream's answer as it came.

    Raises:
        InvalidRequest, NotFound, RateLimited: the upstream's verdict on the request.
        UpstreamFailed: it gave no usable answer.
    """
    try:
        return await gateway.chat({**body, "stream": False})
    except ModelFailed as failure:
        raise as_request_error(failure, str(body["model"])) from failure


async def chat_completion_stream(
    gateway: Gateway, body: Mapping[str, Any]
) -> AsyncGenerator[Json]:
    """Pass a streamed chat completion through: the upstream's chunks as they came.

    `[DONE]` is not among them. The first chunk is given once the answer has begun, so
    whatever is raised before it can still be sent with its HTTP status.

    Raises:
        ApiError: as `chat_completion`; UpstreamFailed also in the middle.
    """
    try:
        async with aclosing(gateway.chat_chunks(body, adapt=False)) as chunks:
            async for chunk in chunks:
                yield chunk
    except ModelFailed as failure:
        raise as_request_error(failure, str(body["model"])) from failure


def _body(request: ChatRequest) -> Json:
    body: Json = {
        "model": request.model,
        "messages": request.messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    optional: Json = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_completion_tokens": request.max_completion_tokens,
        "response_format": request.response_format,
        "reasoning_effort": request.reasoning_effort,
    }
    if request.tools:
        body["tools"] = request.tools
        optional["tool_choice"] = request.tool_choice
        optional["parallel_tool_calls"] = request.parallel_tool_calls
    body.update({key: value for key, value in optional.items() if value is not None})
    return body
