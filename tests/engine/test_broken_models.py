"""Models that fail, break off or fall silent: no run is stuck, no half answer lost."""

from typing import Any

import pytest

from tests.engine.conftest import Begin
from tests.engine.shapes import PLAIN, check_same_by_polling, check_shapes
from tests.engine.talk import ADD, open_calls, text
from tests.support.stream import names, text_of
from tests.support.turns import (
    calls,
    drops_after,
    fails,
    garbage,
    hangs,
    says,
)


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        (fails(401), "server_error"),
        (fails(403), "server_error"),
        (fails(400, message="'messages' is empty"), "invalid_prompt"),
        (fails(413, message="the pictures are too large"), "invalid_prompt"),
        (fails(422, message="'temperature' must be a number"), "invalid_prompt"),
        (fails(404), "server_error"),
        (fails(404, message="no such model", code="model_not_found"), "server_error"),
        (fails(429, retry_after=3600), "rate_limit_exceeded"),
        (fails(429, code="insufficient_quota"), "rate_limit_exceeded"),
        (fails(500), "server_error"),
        (fails(503), "server_error"),
        (garbage("html"), "server_error"),
        (garbage("not_json"), "server_error"),
        (garbage("empty"), "server_error"),
    ],
    ids=[
        "401",
        "403",
        "400",
        "413",
        "422",
        "404",
        "no model",
        "429",
        "quota",
        "500",
        "503",
        "html",
        "not_json",
        "empty",
    ],
)
async def test_a_model_that_gives_no_answer_fails_the_run(
    talk: Begin, turn: Any, code: str
) -> None:
    on = await talk(turn, repeat=True)

    events = await on.stream()

    check_shapes(events)
    assert names(events) == [*PLAIN[:3], "thread.run.failed", "done"]
    run = await check_same_by_polling(on, events)
    assert run["last_error"]["code"] == code
    assert "sk-" not in run["last_error"]["message"]
    assert await on.texts() == ["Hello."]
    # The thread is free again.
    assert (await on.say("Once more.")).status_code == 200


async def test_a_model_that_recovers_is_asked_again_and_nobody_notices(
    talk: Begin,
) -> None:
    on = await talk(fails(500), fails(429, retry_after=0.1), says("Here I am."))

    events = await on.stream()

    assert names(events) == PLAIN
    assert len(on.requests) == 3


async def test_an_answer_that_breaks_off_is_shown_and_its_turn_taken_again(
    talk: Begin,
) -> None:
    on = await talk(drops_after(4), says("The whole answer."))

    events = await on.stream()

    check_shapes(events)
    assert names(events) == [
        *PLAIN[:8],
        "thread.message.incomplete",
        "thread.run.step.failed",
        *PLAIN[3:],
    ]
    run = await check_same_by_polling(on, events)
    abandoned, whole = text_of(events).values()
    assert abandoned == "one two three"
    assert whole == "The whole answer."
    _, half, answer = await on.messages()
    assert (half["status"], text(half)) == ("incomplete", abandoned)
    assert (answer["status"], text(answer)) == ("completed", whole)
    (step,) = await on.steps(run["id"])
    assert step["step_details"]["message_creation"]["message_id"] == answer["id"]
    # What was abandoned is no part of what the model is asked next.
    assert [m["role"] for m in on.requests[1]["messages"]] == ["user"]


async def test_an_answer_that_always_breaks_off_fails_the_run(talk: Begin) -> None:
    on = await talk(drops_after(3), repeat=True)

    events = await on.stream()

    check_shapes(events)
    assert names(events)[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
        "done",
    ]
    run = await check_same_by_polling(on, events)
    assert run["last_error"]["code"] == "server_error"
    assert len(on.requests) == 3
    messages = await on.messages()
    assert [m["status"] for m in messages[1:]] == ["incomplete"] * 3


async def test_calls_that_break_off_are_told_to_have_failed_and_made_again(
    talk: Begin,
) -> None:
    made = calls(("add", {"a": 1, "b": "long enough"}), pieces=6)
    on = await talk(drops_after(4, made), made, tools=[ADD])

    events = await on.stream()

    check_shapes(events)
    told = [n for n in names(events) if "delta" not in n]
    assert told == [
        *PLAIN[:5],
        "thread.run.step.failed",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.requires_action",
        "done",
    ]
    assert len(open_calls(events[-2].data)) == 1


async def test_a_model_that_falls_silent_is_not_waited_for_forever(
    talk: Begin,
) -> None:
    on = await talk(hangs(after=3), says("Back again."))

    run = await on.run()

    assert run["status"] == "completed"
    assert (await on.texts())[-1] == "Back again."
