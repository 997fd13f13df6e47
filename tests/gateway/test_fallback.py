"""What a failing model costs others: fallbacks, and the circuit that opens."""

import asyncio

import pytest

from runtime.gateway import ModelFailed
from tests.gateway.answers import ask, text
from tests.gateway.conftest import Open
from tests.support.turns import fails, says
from tests.support.upstream import Upstream


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
