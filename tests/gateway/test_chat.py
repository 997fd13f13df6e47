"""What the engine sees of an answer, whatever an upstream makes of the format."""

import json
from typing import Any

import pytest

from runtime.gateway import Gateway, ModelFailed, RefusalDelta
from tests.gateway.answers import ask, reason, text, usage
from tests.gateway.pieces import TOOLS, chunk
from tests.support.turns import fails, garbage, says, streams
from tests.support.upstream import Upstream


async def test_a_text_arrives_in_pieces_with_usage_and_reason(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(says("Hello there, you.", usage=(7, 3)))

    deltas = await ask(gateway, model)

    assert text(deltas) == "Hello there, you."
    assert len(deltas) == 5
    told = usage(deltas)
    assert (told.input_tokens, told.output_tokens, told.estimated) == (7, 3, False)
    assert reason(deltas) == "stop"


async def test_tool_settings_are_sent_only_beside_tools(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(says("a"), says("b"))
    settings: dict[str, Any] = {"tool_choice": "auto", "parallel_tool_calls": False}

    await ask(gateway, model, **settings)
    await ask(gateway, model, **settings, tools=TOOLS, temperature=0.0)

    without, beside = upstream.requests(model)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & without.keys()
    assert "temperature" not in without
    assert beside["tool_choice"] == "auto"
    assert beside["parallel_tool_calls"] is False
    assert beside["temperature"] == 0


async def test_a_missing_usage_is_estimated_and_says_so(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(says("12345678", usage=None))

    deltas = await ask(gateway, model, messages=[{"role": "user", "content": "1234"}])

    told = usage(deltas)
    assert (told.input_tokens, told.output_tokens, told.estimated) == (1, 2, True)


async def test_usage_details_are_read_and_nulls_are_none(
    upstream: Upstream, gateway: Gateway
) -> None:
    told = {
        "prompt_tokens": 9,
        "completion_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": None},
    }
    model = upstream.script(
        streams(chunk("stop", content="x"), {"choices": [], "usage": told})
    )

    found = usage(await ask(gateway, model))

    assert (found.cached_tokens, found.reasoning_tokens) == (4, 0)


@pytest.mark.parametrize(
    "message", ["Unknown parameter: 'stream_options'.", "extra field stream_options"]
)
async def test_an_upstream_that_refuses_stream_options_is_asked_without(
    upstream: Upstream, gateway: Gateway, message: str
) -> None:
    model = upstream.script(
        fails(400, message=message), says("one", usage=None), says("two", usage=None)
    )

    assert text(await ask(gateway, model)) == "one"
    assert text(await ask(gateway, model)) == "two"

    sent = ["stream_options" in body for body in upstream.requests(model)]
    assert sent == [True, False, False]


async def test_an_old_upstream_gets_max_tokens(
    upstream: Upstream, gateway: Gateway
) -> None:
    refusal = fails(422, message="Unrecognized argument: max_completion_tokens")
    model = upstream.script(refusal, says("one"))

    await ask(gateway, model, max_completion_tokens=300)

    _, sent = upstream.requests(model)
    assert sent["max_tokens"] == 300
    assert "max_completion_tokens" not in sent


async def test_a_value_that_is_too_large_is_no_unknown_parameter(
    upstream: Upstream, gateway: Gateway
) -> None:
    complaint = "max_completion_tokens is too large: 9. At most 8 are possible."
    model = upstream.script(fails(400, message=complaint))

    with pytest.raises(ModelFailed, match="too large") as caught:
        await ask(gateway, model, max_completion_tokens=9)

    assert caught.value.code == "invalid_prompt"
    assert len(upstream.requests(model)) == 1


async def test_odd_contents_are_read_or_skipped(
    upstream: Upstream, gateway: Gateway
) -> None:
    parts = [{"type": "text", "text": "b"}, {"type": "image"}, "?"]
    model = upstream.script(
        streams(
            {"choices": None},
            {"object": "ping"},
            chunk(content=None, role="assistant"),
            chunk(content="a"),
            chunk(content=parts),
            {"choices": [{"index": 1, "delta": {"content": "other"}}]},
            {"choices": [{"delta": None}, None]},
            chunk(content="c\u2028"),
            chunk("eos"),
        )
    )

    deltas = await ask(gateway, model)

    assert text(deltas) == "abc\u2028"
    assert reason(deltas) == "stop"


@pytest.mark.parametrize(
    ("given", "expected"),
    [("length", "length"), ("max_tokens", "length"), ("content_filter",) * 2],
)
async def test_reasons_to_end_are_kept(
    upstream: Upstream, gateway: Gateway, given: str, expected: str
) -> None:
    model = upstream.script(says("cut", finish_reason=given))

    assert reason(await ask(gateway, model)) == expected


async def test_a_missing_reason_is_forgiven_where_the_end_was_announced(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(says("whole", finish_reason=None))

    assert reason(await ask(gateway, model)) == "stop"


async def test_a_refusal_is_told_apart_from_text(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(streams(chunk(refusal="I will not."), chunk("stop")))

    deltas = await ask(gateway, model)

    assert deltas[0] == RefusalDelta("I will not.")
    assert text(deltas) == ""


async def test_nul_and_half_characters_are_cleaned_and_pairs_joined(
    upstream: Upstream, gateway: Gateway
) -> None:
    pieces = [r"a\u0000b", r"\ud83d", r"\ude00", r"\ude00x", r"y\ud83d"]
    lines = [f'{{"choices":[{{"delta":{{"content":"{piece}"}}}}]}}' for piece in pieces]
    model = upstream.script(streams(*lines, chunk("stop")))

    assert text(await ask(gateway, model)) == "a�b😀�xy�"


async def test_an_upstream_that_does_not_stream_is_understood(
    upstream: Upstream, gateway: Gateway
) -> None:
    message = {"role": "assistant", "content": "all at once"}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
    model = upstream.script(fails(200, body=json.dumps(whole)))

    assert text(await ask(gateway, model)) == "all at once"


@pytest.mark.parametrize("kind", ["text", "empty", "only_done", "not_json", "half"])
async def test_garbage_is_asked_again_and_then_a_clear_failure(
    upstream: Upstream, gateway: Gateway, kind: str
) -> None:
    model = upstream.script(garbage(kind), repeat=True)

    with pytest.raises(ModelFailed, match="The model server's answer") as caught:
        await ask(gateway, model)

    assert caught.value.code == "server_error"
    assert len(upstream.requests(model)) == 6


async def test_a_web_page_points_at_the_address(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(garbage("html"), repeat=True)

    with pytest.raises(ModelFailed, match="OPENAI_BASE_URL"):
        await ask(gateway, model)

    assert len(upstream.requests(model)) == 1
