"""Hosts that are not there or fall silent, hanging up, and many answers at once."""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import aclosing

import pytest

from runtime.gateway import ChatRequest, Gateway, ModelFailed, stream_chat
from tests.gateway.answers import HELLO, ask, text
from tests.gateway.conftest import Open
from tests.support.turns import fails, hangs, says
from tests.support.upstream import Upstream


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (it comes true in another thread)
            await asyncio.sleep(0.005)


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


async def test_three_hundred_slow_answers_come_at_once(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(says("a b c", delay_seconds=1), repeat=True)
    began = time.monotonic()

    answers = await asyncio.gather(*[ask(gateway, model) for _ in range(300)])

    assert {text(answer) for answer in answers} == {"a b c"}
    assert upstream.asked(model).most_open == 300
    assert time.monotonic() - began < 30
