"""Threads that are longer than their model can read."""

from typing import Any

import pytest

from tests.engine.conftest import Begin
from tests.engine.shapes import PLAIN
from tests.engine.talk import ADD, Talk, text
from tests.support.stream import named, names
from tests.support.turns import AnyTurn, Turn, calls, fails, says, streams

TOO_LONG = fails(
    400,
    message="This model's maximum context length is 1000 tokens.",
    code="context_length_exceeded",
)


def takes(characters: int, turn: Turn) -> AnyTurn:
    """A model that reads so many characters, and refuses more."""

    def play(body: dict[str, Any]) -> Turn:
        return TOO_LONG if _size(body) > characters else turn

    return play


def calls_then_says(characters: int, name: str = "add") -> AnyTurn:
    """As `takes`: calls a tool, and answers once it was told the output."""

    def play(body: dict[str, Any]) -> Turn:
        if _size(body) > characters:
            return TOO_LONG
        is_told = body["messages"][-1]["role"] == "tool"
        return says("Done.") if is_told else calls((name, {"a": 1}))

    return play


def _size(body: dict[str, Any]) -> int:
    return sum(len(message["content"] or "") for message in body["messages"])


def read(on: Talk) -> list[str]:
    """The first word of each message that the model was sent last."""
    return [m["content"].split()[0] for m in on.requests[-1]["messages"]]


async def filled(on: Talk, *words: str) -> None:
    """Fill the thread with messages of 400 characters."""
    for word in words:
        assert (await on.say(f"{word} " * (400 // (len(word) + 1)))).status_code == 200


async def test_a_thread_that_is_too_long_is_cut_down_until_it_fits(
    talk: Begin,
) -> None:
    on = await talk(takes(1_000, says("Yes.")), repeat=True, instructions="Be brief.")
    await filled(on, *"abcdefgh")
    await on.say("Newest?")

    events = await on.stream()

    assert names(events) == PLAIN
    kept = read(on)
    assert (kept[0], kept[-1]) == ("Be", "Newest?")
    # What stays is the end of the thread, without a gap.
    assert kept[1:-1] == list("abcdefgh")[-len(kept[1:-1]) :]
    assert len(on.requests) <= 4
    assert [_size(asked) for asked in on.requests] == sorted(
        (_size(asked) for asked in on.requests), reverse=True
    )


async def test_a_model_that_runs_out_of_room_as_it_speaks_is_asked_with_less(
    talk: Begin,
) -> None:
    def play(body: dict[str, Any]) -> Turn:
        error = {"code": 400, "message": "the request exceeds the context size"}
        half = {"choices": [{"index": 0, "delta": {"content": "Half"}}]}
        return (
            says("Whole.") if _size(body) < 1_000 else streams(half, {"error": error})
        )

    on = await talk(play, repeat=True)
    await filled(on, *"abcd")
    await on.say("Newest?")

    events = await on.stream()

    (half,) = named(events, "thread.message.incomplete")
    (whole,) = named(events, "thread.message.completed")
    assert (text(half), text(whole)) == ("Half", "Whole.")
    assert half["id"] != whole["id"]
    assert names(events)[-2:] == ["thread.run.completed", "done"]


async def test_the_question_itself_is_never_dropped(talk: Begin) -> None:
    on = await talk(TOO_LONG, repeat=True)
    await filled(on, "older", "question")
    await on.api.post(
        f"{on.path}/messages", json={"role": "assistant", "content": "Well " * 50}
    )

    run = await on.run()

    assert run["status"] == "failed"
    assert run["last_error"]["code"] == "invalid_prompt"
    assert "maximum context length" in run["last_error"]["message"]
    assert read(on) == ["question", "Well"]


async def test_a_call_and_its_output_stay_together(talk: Begin) -> None:
    on = await talk(calls_then_says(1_500), repeat=True, tools=[ADD])
    first = await on.run()
    await on.submit(first, "old " * 200)
    await on.settled(first["id"])
    await filled(on, "a", "b")
    await on.say("And now?")

    second = await on.run()
    assert second["status"] == "requires_action"
    await on.submit(second, "new " * 200)

    assert (await on.settled(second["id"]))["status"] == "completed"
    for asked in on.requests:
        made = [c["id"] for m in asked["messages"] for c in m.get("tool_calls") or ()]
        answered = [m["tool_call_id"] for m in asked["messages"] if m["role"] == "tool"]
        assert made == answered
    last = on.requests[-1]["messages"]
    assert "And now?" in [message["content"] for message in last]
    assert last[-1]["content"] == "new " * 200


async def test_what_was_learnt_in_one_turn_holds_in_the_next(talk: Begin) -> None:
    search = {"type": "file_search"}
    on = await talk(calls_then_says(1_000, "file_search"), repeat=True, tools=[search])
    await filled(on, *"abc")
    await on.run()

    # One claim's work: what the first turn was refused, the second does not try.
    refused = [_size(asked) > 1_000 for asked in on.requests]
    assert refused == [True, False, False]


@pytest.mark.parametrize("messages", [1, 3])
async def test_a_number_of_messages_that_was_asked_for_is_kept_to(
    talk: Begin, messages: int
) -> None:
    on = await talk(TOO_LONG, repeat=True)
    await filled(on, *"abcd")
    asked = {"type": "last_messages", "last_messages": messages}

    run = await on.run(truncation_strategy=asked)

    assert (run["status"], run["truncation_strategy"]) == ("failed", asked)
    assert run["last_error"]["code"] == "invalid_prompt"
    (request,) = on.requests
    assert len(request["messages"]) == messages


async def test_a_budget_and_a_context_hold_together(talk: Begin) -> None:
    on = await talk(takes(900, says("Yes.")), repeat=True)
    await filled(on, *"abcdefgh")

    run = await on.run(max_prompt_tokens=700)

    assert run["status"] == "completed"
    assert len(on.requests[0]["messages"]) == 7
    assert len(on.requests[-1]["messages"]) <= 2
    assert read(on)[-1] == "h"
