"""Tool calls put together from pieces, however an upstream cuts and numbers them."""

import json

import pytest

from runtime.gateway import Gateway, ModelFailed
from tests.gateway.answers import ask, calls, reason
from tests.gateway.pieces import TOOLS, call_piece, chunk
from tests.support import turns
from tests.support.turns import streams
from tests.support.upstream import Upstream


async def test_parallel_tool_calls_keep_their_ids_and_arguments(
    upstream: Upstream, gateway: Gateway
) -> None:
    wanted = ("add", {"a": 1, "b": [2, 3]}), ("add", {"text": "é"})
    model = upstream.script(turns.calls(*wanted, ids=["x", "y"], pieces=5))

    deltas = await ask(gateway, model, tools=TOOLS)

    made = calls(deltas)
    assert [(id, name) for id, name, _ in made] == [("x", "add"), ("y", "add")]
    assert [json.loads(arguments) for _, _, arguments in made] == [
        {"a": 1, "b": [2, 3]},
        {"text": "é"},
    ]
    assert reason(deltas) == "tool_calls"


async def test_a_call_without_arguments_comes_before_a_later_one_with_some(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(
        streams(
            call_piece(index=0, id="x", function={"name": "now", "arguments": ""}),
            call_piece(index=1, id="y", function={"name": "add", "arguments": "{}"}),
            chunk("tool_calls"),
        )
    )

    made = calls(await ask(gateway, model, tools=TOOLS))

    assert made == [("x", "now", ""), ("y", "add", "{}")]


async def test_missing_and_repeated_call_ids_are_replaced(
    upstream: Upstream, gateway: Gateway
) -> None:
    function = {"name": "add", "arguments": "{}"}
    model = upstream.script(
        streams(
            call_piece(index=0, id="same", function=function),
            call_piece(index=1, id="same", function=function),
            call_piece(index=2, function=function),
            call_piece(index=3, id="", function=function),
            chunk("tool_calls"),
        )
    )

    made = calls(await ask(gateway, model, tools=TOOLS))

    assert len(made) == 4
    assert made[0][0] == "same"


async def test_calls_that_all_have_index_zero_are_told_apart_by_id(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(
        streams(
            call_piece(index=0, id="a", function={"name": "add", "arguments": "{}"}),
            call_piece(index=0, id="b", function={"name": "sub", "arguments": "{}"}),
            chunk("stop"),
        )
    )

    deltas = await ask(gateway, model, tools=TOOLS)

    assert [call[:2] for call in calls(deltas)] == [("a", "add"), ("b", "sub")]
    assert reason(deltas) == "tool_calls"


async def test_calls_without_an_index_are_told_apart_by_name(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(
        streams(
            call_piece(function={"name": "add", "arguments": '{"a"'}),
            call_piece(function={"arguments": ":1}"}),
            call_piece(function={"name": "add", "arguments": {"a": 2}}),
            chunk("tool_calls"),
        )
    )

    made = calls(await ask(gateway, model, tools=TOOLS))

    assert [json.loads(arguments) for _, _, arguments in made] == [{"a": 1}, {"a": 2}]


async def test_a_name_in_pieces_or_repeated_is_one_name(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(
        streams(
            call_piece(index=0, id="a", function={"name": "get_"}),
            call_piece(index=0, function={"name": "weather", "arguments": ""}),
            call_piece(index=0, function={"name": None, "arguments": None}),
            call_piece(index=0, function={"arguments": "{}"}),
            call_piece(index=1, id="b", function={"name": "add", "arguments": "{"}),
            call_piece(index=1, id="b", function={"name": "add", "arguments": "}"}),
            chunk("tool_calls"),
        )
    )

    made = calls(await ask(gateway, model, tools=TOOLS))

    assert made == [("a", "get_weather", "{}"), ("b", "add", "{}")]


async def test_a_call_without_arguments_is_still_a_call(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(
        streams(
            call_piece(index=0, id="a", function={"name": "now"}), chunk("tool_calls")
        )
    )

    assert calls(await ask(gateway, model, tools=TOOLS)) == [("a", "now", "")]


async def test_a_call_without_a_name_fails_the_answer(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(
        streams(
            call_piece(index=0, id="a", function={"arguments": "{}"}), chunk("stop")
        )
    )

    with pytest.raises(ModelFailed, match="without naming it"):
        await ask(gateway, model, tools=TOOLS)
