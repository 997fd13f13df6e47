"""Requests that are passed on: as they came, with the upstream's verdict as ours."""

import pytest
from pydantic import ValidationError

from runtime.errors import (
    ApiError,
    InvalidRequest,
    NotFound,
    RateLimited,
    UpstreamFailed,
)
from runtime.gateway import (
    Gateway,
    chat_completion,
    chat_completion_stream,
    list_models,
)
from runtime.wire.chat import CreateChatCompletionRequest
from runtime.wire.embeddings import CreateEmbeddingRequest
from runtime.wire.models import Model
from tests.gateway.conftest import Open
from tests.support.turns import Turn, calls, drops_after, fails, garbage, says
from tests.support.upstream import Upstream

HELLO = [{"role": "user", "content": "Hello"}]


async def test_a_body_and_its_answer_pass_unchanged(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(calls(("add", {"a": 1})))
    body = {"model": model, "messages": HELLO, "top_k": 5, "logit_bias": {"1": 2}}

    answer = await chat_completion(gateway, body)

    assert upstream.requests(model) == [{**body, "stream": False}]
    assert answer["id"] == "chatcmpl-scripted"
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == '{"a": 1}'


async def test_chunks_pass_unchanged(upstream: Upstream, gateway: Gateway) -> None:
    model = upstream.script(says("one two"))
    body = {"model": model, "messages": HELLO}

    chunks = [chunk async for chunk in chat_completion_stream(gateway, body)]

    # No usage was asked for, so none is asked of the upstream either.
    assert upstream.requests(model) == [{**body, "stream": True}]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "one"},
        {"content": " two"},
        {},
    ]


@pytest.mark.parametrize(
    ("turn", "kind", "complaint"),
    [
        (fails(400, message="bad tool", param="tools"), InvalidRequest, "bad tool"),
        (fails(422, body='{"detail": "odd"}'), InvalidRequest, "odd"),
        (fails(404), NotFound, "No model found"),
        (fails(429, retry_after=90), RateLimited, "limits"),
        (fails(401), UpstreamFailed, "refused the key this runtime"),
        (fails(500), UpstreamFailed, "status 500"),
        (garbage("html"), UpstreamFailed, "OPENAI_BASE_URL"),
        (garbage("empty"), UpstreamFailed, "could not be understood|before it was"),
        (drops_after(0), UpstreamFailed, "could not be reached"),
    ],
)
async def test_the_upstreams_verdict_is_ours(
    upstream: Upstream,
    gateway: Gateway,
    turn: Turn,
    kind: type[ApiError],
    complaint: str,
) -> None:
    model = upstream.script(turn, repeat=True)
    body = {"model": model, "messages": HELLO}

    with pytest.raises(kind, match=complaint):
        await chat_completion(gateway, body)
    with pytest.raises(kind, match=complaint):
        async for _ in chat_completion_stream(gateway, body):
            pass


async def test_the_upstreams_param_and_code_are_kept(
    upstream: Upstream, gateway: Gateway
) -> None:
    turn = fails(400, param="messages", code="context_length_exceeded")
    model = upstream.script(turn)

    with pytest.raises(InvalidRequest) as caught:
        await chat_completion(gateway, {"model": model, "messages": HELLO})

    assert caught.value.param == "messages"
    assert caught.value.code == "context_length_exceeded"


async def test_the_upstreams_models_are_listed_with_our_own(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(says("x"))

    listed = await list_models(gateway)

    names = [entry["id"] for entry in listed]
    assert model in names
    assert names[-2:] == ["builtin", "all-MiniLM-L6-v2"]
    assert all(Model.model_validate(entry) for entry in listed)
    assert "bare" in names


async def test_without_an_upstream_our_own_models_are_listed(builtin: Gateway) -> None:
    assert [entry["id"] for entry in await list_models(builtin)] == [
        "builtin",
        "all-MiniLM-L6-v2",
    ]


async def test_an_upstream_that_lists_nothing_is_a_clear_failure(
    upstream: Upstream, open_gateway: Open
) -> None:
    nowhere = open_gateway(base_url=upstream.base_url + "/nowhere")

    with pytest.raises(UpstreamFailed, match="OPENAI_BASE_URL"):
        await list_models(nowhere)


async def test_builtin_serves_beside_an_upstream(gateway: Gateway) -> None:
    answer = await chat_completion(gateway, {"model": "builtin", "messages": HELLO})

    assert answer["model"] == "builtin"


def test_a_body_keeps_what_no_specification_lists() -> None:
    body = {"model": "m", "messages": HELLO, "top_k": 5, "stream": None}

    assert CreateChatCompletionRequest.model_validate(body).as_sent() == body


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": ""},
        {"model": 5},
        {"messages": []},
        {"messages": "Hello"},
        {"stream": "yes"},
        {"temperature": float("nan")},
        {"user": "\ud800"},
    ],
)
def test_a_body_that_cannot_be_passed_on_is_refused(wrong: dict[str, object]) -> None:
    body = {"model": "m", "messages": HELLO, **wrong}

    with pytest.raises(ValidationError):
        CreateChatCompletionRequest.model_validate(body)


@pytest.mark.parametrize("given", ["a", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_every_form_of_input_can_be_embedded(given: object) -> None:
    request = CreateEmbeddingRequest.model_validate({"model": "m", "input": given})

    assert request.as_sent()["input"] == given


@pytest.mark.parametrize("given", ["", [], [""], [[]], 5, None, ["a", 1], ["a"] * 2049])
def test_an_input_that_is_none_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        CreateEmbeddingRequest.model_validate({"model": "m", "input": given})
