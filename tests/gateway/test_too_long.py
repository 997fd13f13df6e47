"""A prompt that is too long, in the words of many servers."""

from typing import Any

import pytest

from runtime.gateway.failures import ContextExceeded
from runtime.gateway.too_long import says_too_long
from runtime.gateway.translate import Asked, error_in_stream, refused

ASKED = Asked("a-model", None)

SAID: dict[str, tuple[int, dict[str, Any]]] = {
    "openai": (
        400,
        {
            "message": "This model's maximum context length is 8192 tokens. However, "
            "your messages resulted in 8545 tokens. Please reduce the length of the "
            "messages.",
            "code": "context_length_exceeded",
        },
    ),
    "openai today": (
        400,
        {
            "message": "Your input exceeds the context window of this model. Please "
            "adjust your input and try again.",
        },
    ),
    "openai's gpt-5": (
        400,
        {
            "message": "Input tokens exceed the configured limit of 272000 tokens. Your "
            "messages resulted in 300010 tokens. Please reduce the length of the "
            "messages."
        },
    ),
    "azure": (400, {"message": "Too long.", "code": "context_length_exceeded"}),
    "groq": (
        400,
        {"message": "Please reduce the length.", "code": "context_length_exceeded"},
    ),
    "vllm": (
        400,
        {
            "message": "This model's maximum context length is 4096 tokens. However, you "
            "requested 5000 tokens (4500 in the messages, 500 in the completion). Please "
            "reduce the length of the messages or completion.",
            "type": "BadRequestError",
            "code": 400,
        },
    ),
    "vllm, for the answer": (
        400,
        {
            "message": "'max_tokens' or 'max_completion_tokens' is too large: 300. This "
            "model's maximum context length is 4096 tokens and your request has 4000 "
            "input tokens (300 > 4096 - 4000).",
        },
    ),
    "vllm's decoder": (
        400,
        {
            "message": "The decoder prompt (length 5000) is longer than the maximum "
            "model length of 4096. Make sure that `max_model_len` is no smaller than "
            "the number of text tokens."
        },
    ),
    "sglang": (
        400,
        {
            "message": "The input (5000 tokens) is longer than the model's context "
            "length (4096 tokens)."
        },
    ),
    "llama.cpp": (
        400,
        {
            "message": "the request exceeds the available context size. try increasing "
            "the context size or enable context shift",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 1407,
            "n_ctx": 256,
        },
    ),
    "older llama.cpp": (
        500,
        {"message": "the request exceeds the available context size."},
    ),
    "llama-cpp-python": (
        400,
        {"message": "Requested tokens (757) exceed context window of 512"},
    ),
    "ollama": (400, {"message": "the input length exceeds the context length"}),
    "older ollama": (
        500,
        {"message": "prompt too long; exceeded max context length by 12 tokens"},
    ),
    "tgi": (
        422,
        {
            "message": "Input validation error: `inputs` tokens + `max_new_tokens` must "
            "be <= 4096. Given: 5000 `inputs` tokens and 20 `max_new_tokens`"
        },
    ),
    "anthropic": (
        400,
        {"message": "prompt is too long: 208310 tokens > 200000 maximum"},
    ),
    "gemini": (
        400,
        {
            "message": "The input token count (1200000) exceeds the maximum number of "
            "tokens allowed (1048576)."
        },
    ),
    "mistral": (
        400,
        {
            "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for "
            "model with 32768 maximum context length"
        },
    ),
    "bedrock": (400, {"message": "Input is too long for requested model."}),
}

OTHERWISE: dict[str, tuple[int, dict[str, Any]]] = {
    "a limit of tokens a minute": (
        429,
        {"message": "Request too large: too many tokens per minute; context length"},
    ),
    "a model without a context": (404, {"message": "no context window model"}),
    "a parameter": (400, {"message": "max_tokens is too large: 5000."}),
    "a name": (400, {"message": "'name' is too long."}),
    "a picture": (413, {"message": "The image is too large."}),
    "a template": (
        400,
        {"message": "Conversation roles must alternate in this context."},
    ),
    "a failure": (500, {"message": "CUDA error: out of memory"}),
}


@pytest.mark.parametrize(("status", "detail"), SAID.values(), ids=SAID)
def test_each_servers_way_to_say_it_is_understood(
    status: int, detail: dict[str, Any]
) -> None:
    failure = refused(status, detail, {}, ASKED)

    assert isinstance(failure, ContextExceeded)
    assert (failure.code, failure.retryable) == ("invalid_prompt", False)
    assert failure.message == detail["message"]


@pytest.mark.parametrize(("status", "detail"), OTHERWISE.values(), ids=OTHERWISE)
def test_what_is_refused_for_another_reason_is_not_taken_for_it(
    status: int, detail: dict[str, Any]
) -> None:
    assert not says_too_long(status, detail)


def test_a_server_that_says_so_within_a_200_is_understood() -> None:
    words = (
        "Trying to keep the first 14538 tokens when context the overflows. However, the "
        "model is loaded with context length of only 2048 tokens, which is not enough."
    )

    assert isinstance(error_in_stream({"message": words}, ASKED), ContextExceeded)
    assert isinstance(error_in_stream(words, ASKED), ContextExceeded)
