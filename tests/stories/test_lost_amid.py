"""Workers are killed at the odd moments of a turn; nothing is told or done twice."""

import asyncio
import signal
from collections import Counter
from typing import Any

from tests.engine.talk import ADD, text
from tests.stories.house import Follower, House, check_whole
from tests.support.stream import named
from tests.support.turns import Answers, calls, says

OBJECT = {"type": "json_object"}


async def _lose_worker(house: House) -> None:
    await house.end_worker("first", signal.SIGKILL)
    await asyncio.to_thread(house.start_worker, "second")


async def test_a_worker_is_lost_while_an_unfit_answer_is_asked_for_again(
    house: House,
) -> None:
    house.start_worker("first")
    slow = says('{"slow": "and lost"}', pieces=20, chunk_delay_seconds=0.2)
    on = await house.begin(
        says("Prose."), slow, says("{}"), says('{"at": "last"}'), response_format=OBJECT
    )
    follower = Follower(on)
    await follower.hears("thread.message.created", times=2)

    await _lose_worker(house)
    events = await follower.end()

    # The successor begins the turn anew: what did not fit is known to nobody now.
    await check_whole(on, events, answer="{}")
    unfit, _ = named(events, "thread.message.incomplete")
    assert text(unfit) == "Prose."
    assert len(named(events, "thread.run.step.failed")) == 2


async def test_a_worker_is_lost_while_calls_wait_for_the_message_before_them(
    house: House,
) -> None:
    def play(body: dict[str, Any]) -> Answers:
        if body["messages"][-1]["role"] == "tool":
            return says("Two.")
        slow = calls(("add", {"a": "x" * 40}), text="Let me see.", pieces=20)
        return Answers(
            deltas=slow.deltas,
            finish_reason="tool_calls",
            chunk_delay_seconds=0.1,
        )

    house.start_worker("first")
    did: Counter[str] = Counter()
    on = await house.begin(play, repeat=True, tools=[ADD])
    follower = Follower(on, did)
    await follower.hears("thread.message.delta")
    await asyncio.sleep(0.5)

    await _lose_worker(house)
    events = await follower.end()

    assert set(did.values()) == {1} and len(did) == 1
    begun = [step["id"] for step in named(events, "thread.run.step.created")]
    ended = [
        step["id"]
        for state in ("completed", "failed")
        for step in named(events, f"thread.run.step.{state}")
    ]
    assert sorted(begun) == sorted(ended)
    (lost,) = named(events, "thread.message.incomplete")
    assert text(lost) == "Let me see."
    whole = named(events, "thread.message.completed")
    assert [text(message) for message in whole] == ["Let me see.", "Two."]
