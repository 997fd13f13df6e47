"""Patience with an upstream: retries, limits, timeouts, fallbacks, hanging up."""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from runtime.gateway import (
    ChatRequest,
    Gateway,
    ModelFailed,
    TextDelta,
    stream_chat,
)
from tests.gateway.answers import ask, text
from tests.gateway.conftest import Open
from tests.support.turns import Turn, drops_after, fails, hangs, says, streams
from tests.support.upstream import Upstream

HELLO = [{"role": "user", "content": "Hello"}]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (it comes true in another thread)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
async def test_a_passing_failure_is_asked_again(
    upstream: Upstream, gateway: Gateway, status: int
) -> None:
    model = upstream.script(*[fails(status)] * 5, says("at last"))

    assert text(await ask(gateway, model)) == "at last"


async def test_six_attempts_are_the_most(upstream: Upstream, gateway: Gateway) -> None:
    model = upstream.script(fails(503), repeat=True)

    with pytest.raises(ModelFailed, match="status 503") as caught:
        await ask(gateway, model)

    assert (caught.value.code, caught.value.status) == ("server_error", 503)
    assert len(upstream.requests(model)) == 6


async def test_a_limit_that_stays_is_rate_limit_exceeded(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(fails(429, retry_after=0.01), repeat=True)

    with pytest.raises(ModelFailed) as caught:
        await ask(gateway, model)

    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.retry_after_seconds == 0.01
    assert len(upstream.requests(model)) == 6


async def test_an_empty_account_is_not_asked_again(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(fails(429, code="insufficient_quota"), repeat=True)

    with pytest.raises(ModelFailed) as caught:
        await ask(gateway, model)

    assert caught.value.code == "rate_limit_exceeded"
    assert len(upstream.requests(model)) == 1


async def test_retry_after_is_waited_for(upstream: Upstream, gateway: Gateway) -> None:
    model = upstream.script(fails(429, retry_after=0.3), says("now"))

    await ask(gateway, model)

    first, second = upstream.asked(model).asked_at
    assert 0.3 <= second - first < 1


async def test_a_retry_after_as_a_date_is_understood(
    upstream: Upstream, gateway: Gateway
) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    model = upstream.script(fails(503, retry_after=soon), says("now"))

    await ask(gateway, model)

    first, second = upstream.asked(model).asked_at
    assert 0.9 <= second - first < 3


@pytest.mark.parametrize("nonsense", ["soon", "nan", "-5", ""])
async def test_a_senseless_retry_after_does_no_harm(
    upstream: Upstream, gateway: Gateway, nonsense: str
) -> None:
    model = upstream.script(fails(429, retry_after=nonsense), says("now"))

    assert text(await ask(gateway, model)) == "now"


async def test_a_retry_after_beyond_a_minute_is_not_waited_for(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(fails(429, retry_after=61), says("never"))

    with pytest.raises(ModelFailed) as caught:
        await ask(gateway, model)

    assert caught.value.retry_after_seconds == 61
    assert len(upstream.requests(model)) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_wrong_question_is_asked_once(
    upstream: Upstream, gateway: Gateway, status: int
) -> None:
    model = upstream.script(fails(status, message="Too many tokens."), repeat=True)

    with pytest.raises(ModelFailed, match="Too many tokens") as caught:
        await ask(gateway, model)

    assert caught.value.code == "invalid_prompt"
    assert len(upstream.requests(model)) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_the_runtimes_and_is_not_shown(
    upstream: Upstream, gateway: Gateway, status: int
) -> None:
    model = upstream.script(fails(status, message="bad key sk-runtime-secret"))

    with pytest.raises(ModelFailed, match="refused the key this runtime") as caught:
        await ask(gateway, model)

    assert caught.value.code == "server_error"
    assert "secret" not in caught.value.message


async def test_keys_in_an_upstreams_words_are_blotted_out(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(fails(400, message="no: sk-proj-abcdef123456\0 ok"))

    with pytest.raises(ModelFailed) as caught:
        await ask(gateway, model)

    assert caught.value.message == "no: [key] ok"


async def test_an_unknown_model_is_named(gateway: Gateway) -> None:
    with pytest.raises(ModelFailed, match="no model named 'nobody'") as caught:
        await ask(gateway, "nobody")

    assert caught.value.status == 404


async def test_the_key_is_sent_and_without_one_none_is(
    upstream: Upstream, gateway: Gateway, open_gateway: Open
) -> None:
    model = upstream.script(says("a"), says("b"))

    await ask(gateway, model)
    await ask(open_gateway(api_key=None), model)

    with_key, without = upstream.asked(model).headers
    assert with_key["Authorization"] == "Bearer sk-runtime-secret"
    assert "Authorization" not in without


async def test_a_connection_lost_before_the_first_piece_is_asked_again(
    upstream: Upstream, gateway: Gateway
) -> None:
    # One chunk passes: the greeting, which shows nothing to anybody yet.
    model = upstream.script(drops_after(0), drops_after(1), says("whole"))

    assert text(await ask(gateway, model)) == "whole"


@pytest.mark.parametrize(
    ("turn", "complaint"),
    [
        (drops_after(3), "broke in the middle"),
        (hangs(after=3), "fell silent"),
        (
            streams({"choices": [{"delta": {"content": "one two"}}]}, done=False),
            "ended before it was whole",
        ),
        (
            streams(
                {"choices": [{"delta": {"content": "one two"}}]},
                {"error": {"message": "out of memory", "type": "server_error"}},
            ),
            "status 500",
        ),
        (
            streams({"choices": [{"delta": {"content": "one two"}}]}, "{{{"),
            "could not be understood",
        ),
    ],
)
async def test_nothing_is_asked_again_once_a_piece_is_out(
    upstream: Upstream, open_gateway: Open, turn: Turn, complaint: str
) -> None:
    gateway = open_gateway(between_tokens_timeout_seconds=0.2)
    model = upstream.script(turn, says("again"))
    heard: list[str] = []

    with pytest.raises(ModelFailed, match=complaint) as caught:
        async for delta in stream_chat(gateway, ChatRequest(model, HELLO)):
            assert isinstance(delta, TextDelta)
            heard.append(delta.text)

    assert "".join(heard) == "one two"
    assert (caught.value.code, caught.value.retryable) == ("server_error", False)
    assert len(upstream.requests(model)) == 1


async def test_an_error_inside_the_stream_counts_by_its_kind(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(
        streams({"error": {"message": "slow down", "code": 429}}),
        streams({"error": "overloaded"}),
        streams({"error": {"message": "prompt too long", "code": 400}}),
    )

    with pytest.raises(ModelFailed, match="prompt too long") as caught:
        await ask(gateway, model)

    assert caught.value.code == "invalid_prompt"
    assert len(upstream.requests(model)) == 3


async def test_silence_before_the_first_piece_ends_the_attempt(
    upstream: Upstream, open_gateway: Open
) -> None:
    gateway = open_gateway(first_token_timeout_seconds=0.15)
    model = upstream.script(hangs(), hangs(after=1), says("awake"))

    assert text(await ask(gateway, model)) == "awake"
    await until(lambda: upstream.asked(model).hung_up == 2)


async def test_a_slow_answer_may_take_longer_than_any_single_wait(
    upstream: Upstream, open_gateway: Open
) -> None:
    gateway = open_gateway(
        first_token_timeout_seconds=0.2, between_tokens_timeout_seconds=0.2
    )
    model = upstream.script(says("a b c d e f", chunk_delay_seconds=0.1))

    assert text(await ask(gateway, model)) == "a b c d e f"


async def test_an_unreachable_host_is_a_clear_failure(open_gateway: Open) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        gateway = open_gateway(base_url=f"http://127.0.0.1:{port}/v1", max_attempts=2)

        with pytest.raises(ModelFailed, match="could not be reached") as caught:
            await ask(gateway, "any")

    assert caught.value.code == "server_error"


async def test_a_host_that_takes_no_connection_is_given_up_soon(
    open_gateway: Open,
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        gateway = open_gateway(
            base_url=f"http://127.0.0.1:{port}/v1",
            first_token_timeout_seconds=0.2,
            max_attempts=1,
        )

        with pytest.raises(ModelFailed, match="did not answer in time"):
            await ask(gateway, "any")


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1/v1", "http://[::1"])
async def test_an_address_that_is_none_is_a_clear_failure(
    open_gateway: Open, address: str
) -> None:
    gateway = open_gateway(base_url=address, max_attempts=1)

    with pytest.raises(ModelFailed):
        await ask(gateway, "any")


async def test_bytes_that_are_no_http_are_a_clear_failure(open_gateway: Open) -> None:
    async def greet(reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        out.write(b"220 mail.example ESMTP\r\n\r\n")
        await out.drain()
        out.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = open_gateway(base_url=f"http://127.0.0.1:{port}/v1", max_attempts=2)

    with pytest.raises(ModelFailed, match="model server"):
        await ask(gateway, "any")
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("after", [-1, 3])
async def test_cancelling_hangs_up_at_once(
    upstream: Upstream, gateway: Gateway, after: int
) -> None:
    model = upstream.script(hangs(after=after))
    asking = asyncio.create_task(ask(gateway, model))
    await until(lambda: upstream.asked(model).open_now == 1)
    await asyncio.sleep(0.05)

    began = time.monotonic()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert time.monotonic() - began < 0.2
    await until(lambda: upstream.asked(model).hung_up == 1)


async def test_cancelling_ends_the_wait_between_attempts(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(fails(429, retry_after=30), says("never"))
    asking = asyncio.create_task(ask(gateway, model))
    await until(lambda: len(upstream.requests(model)) == 1)
    await asyncio.sleep(0.05)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(upstream.requests(model)) == 1


async def test_leaving_early_hangs_up(upstream: Upstream, gateway: Gateway) -> None:
    model = upstream.script(hangs(after=3))

    async with aclosing(stream_chat(gateway, ChatRequest(model, HELLO))) as deltas:
        async for _ in deltas:
            break

    await until(lambda: upstream.asked(model).hung_up == 1)


async def test_a_connection_is_used_again(upstream: Upstream, gateway: Gateway) -> None:
    model = upstream.script(says("a"), repeat=True)
    for _ in range(3):
        await ask(gateway, model)

    connections = upstream.asked(model).peers
    assert len(set(connections)) == 1


async def test_a_failing_model_falls_back_to_the_next(
    upstream: Upstream, open_gateway: Open
) -> None:
    spare = upstream.script(says("spare"), repeat=True)
    broken = upstream.script(fails(500), repeat=True)
    limited = upstream.script(fails(429, retry_after=20), repeat=True)
    gateway = open_gateway(fallback_models=(spare,))

    for model in (broken, limited, "nobody"):
        assert text(await ask(gateway, model)) == "spare"

    assert len(upstream.requests(broken)) == 2
    assert len(upstream.requests(limited)) == 1


async def test_a_wrong_question_does_not_fall_back(
    upstream: Upstream, open_gateway: Open
) -> None:
    spare = upstream.script(says("spare"))
    model = upstream.script(fails(400, message="bad"))

    with pytest.raises(ModelFailed, match="bad"):
        await ask(open_gateway(fallback_models=(spare,)), model)

    assert not upstream.requests(spare)


async def test_the_circuit_opens_and_one_probe_closes_it(
    upstream: Upstream, open_gateway: Open
) -> None:
    gateway = open_gateway(
        max_attempts=1, breaker_failures=3, breaker_cooldown_seconds=0.2
    )
    model = upstream.script(*[fails(500)] * 3, says("well again"), repeat=True)
    for _ in range(3):
        with pytest.raises(ModelFailed, match="status 500"):
            await ask(gateway, model)

    with pytest.raises(ModelFailed, match="left alone for a moment"):
        await ask(gateway, model)
    assert len(upstream.requests(model)) == 3

    await asyncio.sleep(0.25)
    assert text(await ask(gateway, model)) == "well again"
    assert text(await ask(gateway, model)) == "well again"


async def test_other_models_do_not_suffer_for_a_broken_one(
    upstream: Upstream, open_gateway: Open
) -> None:
    gateway = open_gateway(max_attempts=1, breaker_failures=1)
    broken = upstream.script(fails(500))
    healthy = upstream.script(says("fine"))
    with pytest.raises(ModelFailed):
        await ask(gateway, broken)

    assert text(await ask(gateway, healthy)) == "fine"


async def test_a_wait_outlasts_a_circuit_that_is_open(
    upstream: Upstream, open_gateway: Open
) -> None:
    gateway = open_gateway(breaker_failures=2, breaker_cooldown_seconds=0.1)
    model = upstream.script(fails(500), fails(500), says("well again"))

    assert text(await ask(gateway, model)) == "well again"


async def test_three_hundred_slow_answers_come_at_once(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(says("a b c", delay_seconds=1), repeat=True)
    began = time.monotonic()

    answers = await asyncio.gather(*[ask(gateway, model) for _ in range(300)])

    assert {text(answer) for answer in answers} == {"a b c"}
    assert upstream.asked(model).most_open == 300
    assert time.monotonic() - began < 30
