"""The stand-in itself, where other tests lean on it: scripts, and a life as a process."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from runtime.gateway import Gateway, ModelFailed
from tests.gateway.answers import ask, calls, text
from tests.gateway.conftest import Open
from tests.support import turns
from tests.support.turns import (
    drops_after,
    embeds,
    fails,
    garbage,
    says,
    turn_from_json,
    turn_to_json,
)
from tests.support.upstream import Upstream


async def test_turns_are_played_in_order_and_then_the_script_is_over(
    upstream: Upstream, open_gateway: Open
) -> None:
    gateway = open_gateway(max_attempts=1)
    model = upstream.script(says("one"), says("two"))

    assert text(await ask(gateway, model)) == "one"
    assert text(await ask(gateway, model)) == "two"
    with pytest.raises(ModelFailed, match="status 500"):
        await ask(gateway, model)


async def test_a_turn_may_depend_on_what_was_asked(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(lambda body: says(body["messages"][0]["content"][::-1]))

    messages = [{"role": "user", "content": "abc"}]
    assert text(await ask(gateway, model, messages=messages)) == "cba"


@pytest.mark.parametrize(
    "turn",
    [
        says("hello", pieces=2),
        turns.calls(("add", {"a": [1]}), ids=["x"]),
        fails(429, retry_after=3),
        garbage("html"),
        drops_after(2),
        embeds(dimensions=3),
    ],
)
def test_a_turn_survives_the_way_to_another_process(turn: turns.Turn) -> None:
    assert turn_from_json(json.loads(json.dumps(turn_to_json(turn)))) == turn


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "tests.support.upstream", "--port-file"]
    process = subprocess.Popen([*command, str(port_file)])
    try:
        for _ in range(200):
            if port_file.exists() and port_file.read_text():
                break
            process.poll()
            assert process.returncode is None
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text()}"
    finally:
        process.terminate()
        process.wait(10)


async def test_a_stand_in_in_another_process_is_scripted_over_http(
    address: str, open_gateway: Open
) -> None:
    gateway = open_gateway(base_url=f"{address}/v1")
    plan = [turns.calls(("add", {"a": 1})), says("done")]
    wanted = {"turns": [turn_to_json(turn) for turn in plan]}

    async with aiohttp.ClientSession() as session:
        async with session.post(f"{address}/__script__", json=wanted) as response:
            model = (await response.json())["model"]
        first = await ask(gateway, model)
        second = await ask(gateway, model)
        async with session.get(f"{address}/__requests__/{model}") as response:
            seen = await response.json()

    assert [name for _, name, _ in calls(first)] == ["add"]
    assert text(second) == "done"
    assert len(seen["requests"]) == 2
