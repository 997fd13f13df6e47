"""Patience with an upstream: what is asked again, how often, and what is not."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from runtime.gateway import ChatRequest, Gateway, ModelFailed, TextDelta, stream_chat
from tests.gateway.answers import HELLO, ask, text
from tests.gateway.conftest import Open
from tests.support.turns import Turn, drops_after, fails, hangs, says, streams
from tests.support.upstream import Upstream


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


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no: sk-proj-abcdef123456\0 ok", "no: [key] ok"),
        ("no: gsk_abcdefghijklmnop, hf_abcdefghijklmnop", "no: [key], [key]"),
        ("API key abcd****1234, Bearer abcd1234", "API [key], [key]"),
        ("Unknown key parameters: key_values", "Unknown key parameters: key_values"),
    ],
)
async def test_keys_in_an_upstreams_words_are_blotted_out(
    upstream: Upstream, gateway: Gateway, said: str, shown: str
) -> None:
    model = upstream.script(fails(400, message=said))

    with pytest.raises(ModelFailed) as caught:
        await ask(gateway, model)

    assert caught.value.message == shown


async def test_our_own_key_is_blotted_out_whatever_it_looks_like(
    upstream: Upstream, open_gateway: Open
) -> None:
    model = upstream.script(fails(400, message="who says open sesame?"))

    with pytest.raises(ModelFailed, match=r"^who says \[key\]\?$"):
        await ask(open_gateway(api_key="open sesame"), model)


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
