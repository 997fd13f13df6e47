"""Answers in the form that was asked for: JSON, a schema, or the run has failed."""

import json
from typing import Any

import pytest

from tests.engine.conftest import Begin
from tests.engine.shapes import PLAIN, check_same_by_polling, check_shapes
from tests.engine.talk import ADD, text
from tests.support.stream import named, names
from tests.support.turns import Answers, calls, says, streams

OBJECT = {"type": "json_object"}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"$ref": "#/$defs/place"}},
    "required": ["x", "y"],
    "additionalProperties": False,
    "$defs": {"place": {"type": "integer", "minimum": 0}},
}


def wants(schema: dict[str, Any], *, strict: bool | None = True) -> dict[str, Any]:
    """A response format that asks for a schema."""
    asked = {"name": "point", "schema": schema, "strict": strict}
    return {"type": "json_schema", "json_schema": asked}


@pytest.mark.parametrize(
    ("response_format", "answer"),
    [
        (OBJECT, ' {"a": [1, 2]}\n'),
        (wants(POINT), '{"x": 1, "y": 2}'),
        (wants(POINT, strict=False), "I would rather not."),
        (wants(POINT, strict=None), "I would rather not."),
        ({"type": "text"}, "Plain."),
        ("auto", "Plain."),
    ],
    ids=["json_object", "strict", "not strict", "strict null", "text", "auto"],
)
async def test_an_answer_that_fits_completes_the_run_at_once(
    talk: Begin, response_format: Any, answer: str
) -> None:
    on = await talk(says(answer, pieces=4))

    events = await on.stream(response_format=response_format)

    assert names(events) == PLAIN
    (asked,) = on.requests
    # To the letter, for models fill in keys in the order of their schema.
    sent = json.dumps(asked.get("response_format")).replace(', "strict": null', "")
    wanted = json.dumps(None if response_format == "auto" else response_format)
    assert sent == wanted.replace(', "strict": null', "")


@pytest.mark.parametrize(
    ("response_format", "wrong", "right"),
    [
        (OBJECT, "Sure! {", '{"a": 1}'),
        (OBJECT, "[1, 2]", "{}"),
        (OBJECT, '{"a": NaN}', "{}"),
        (OBJECT, "[" * 5_000, "{}"),
        (wants(POINT), '{"x": 1}', '{"x": 1, "y": 2}'),
        (wants(POINT), '{"x": 1, "y": -2}', '{"x": 1, "y": 2}'),
        (wants(POINT), '{"x": 1, "y": 2, "z": 3}', '{"x": 1, "y": 2}'),
    ],
    ids=["prose", "array", "NaN", "deep", "missing", "too small", "too many"],
)
async def test_an_answer_that_does_not_fit_is_shown_and_asked_for_again(
    talk: Begin, response_format: Any, wrong: str, right: str
) -> None:
    on = await talk(says(wrong, usage=(10, 5)), says(right, usage=(20, 7)))

    events = await on.stream(response_format=response_format)

    check_shapes(events)
    assert names(events) == [
        *PLAIN[:8],
        "thread.message.incomplete",
        "thread.run.step.failed",
        *PLAIN[3:],
    ]
    run = await check_same_by_polling(on, events)
    # Both answers were paid for.
    assert run["usage"] == {
        "prompt_tokens": 30,
        "completion_tokens": 12,
        "total_tokens": 42,
    }
    _, thrown_away, kept = await on.messages()
    assert (thrown_away["status"], text(thrown_away)) == ("incomplete", wrong)
    assert (kept["status"], text(kept)) == ("completed", right)
    (failed,) = named(events, "thread.run.step.failed")
    assert failed["usage"]["total_tokens"] == 15
    assert "response_format" in failed["last_error"]["message"]
    # The model is told what was wrong, or it would say the same again.
    answered, told = on.requests[1]["messages"][-2:]
    assert answered == {"role": "assistant", "content": wrong}
    assert (told["role"], "JSON" in told["content"]) == ("user", True)


async def test_a_model_that_never_answers_in_the_form_fails_the_run(
    talk: Begin,
) -> None:
    on = await talk(says('{"x": "one", "y": 2}', usage=(10, 5)), repeat=True)

    events = await on.stream(response_format=wants(POINT))

    check_shapes(events)
    assert names(events)[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
        "done",
    ]
    run = await check_same_by_polling(on, events)
    assert run["last_error"]["code"] == "server_error"
    assert 'at $.x: "one" is not of type integer' in run["last_error"]["message"]
    assert len(on.requests) == 3
    assert run["usage"]["total_tokens"] == 45
    assert (await on.say("Never mind.")).status_code == 200


async def test_an_answer_that_was_cut_is_incomplete_and_not_failed(
    talk: Begin,
) -> None:
    on = await talk(says('{"x": 1, ', finish_reason="length"))

    run = await on.run(response_format=wants(POINT), max_completion_tokens=256)

    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert len(on.requests) == 1


async def test_a_refusal_needs_no_form(talk: Begin) -> None:
    delta = {"refusal": "I will not."}
    on = await talk(
        streams({"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]})
    )

    run = await on.run(response_format=wants(POINT))

    assert run["status"] == "completed"
    (part,) = (await on.messages())[-1]["content"]
    assert part == {"type": "refusal", "refusal": "I will not."}


async def test_calls_need_no_form_and_the_answer_behind_them_does(talk: Begin) -> None:
    on = await talk(
        calls(("add", {"a": 1}), text="Let me see."),
        says("Two."),
        says('{"x": 1, "y": 2}'),
        tools=[ADD],
    )
    waiting = await on.run(response_format=wants(POINT))
    assert waiting["status"] == "requires_action"

    await on.submit(waiting, "2")

    assert (await on.settled(waiting["id"]))["status"] == "completed"
    assert (await on.texts())[-2:] == ["Two.", '{"x": 1, "y": 2}']


async def test_what_was_thrown_away_counts_against_the_budget(talk: Begin) -> None:
    on = await talk(says("Prose.", usage=(10, 256)), says("{}"))

    run = await on.run(response_format=OBJECT, max_completion_tokens=256)

    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["usage"]["completion_tokens"] == 256
    assert len(on.requests) == 1


async def test_an_assistants_own_format_holds_where_the_run_has_none(
    talk: Begin,
) -> None:
    on = await talk(says("Prose."), says("{}"), repeat=True, response_format=OBJECT)

    own = await on.run()
    other = await on.run(response_format={"type": "text"})

    assert (own["response_format"], own["status"]) == (OBJECT, "completed")
    assert other["response_format"] == {"type": "text"}
    formats = [request.get("response_format") for request in on.requests]
    assert formats == [OBJECT, OBJECT, {"type": "text"}]


@pytest.mark.parametrize(
    "name", ["\0", "\ud800", "k" * 9_000], ids=["NUL", "half", "long"]
)
async def test_whatever_an_answer_holds_its_run_can_fail(
    talk: Begin, name: str
) -> None:
    on = await talk(says(json.dumps({name: 1})), repeat=True)
    texts = {"type": "object", "additionalProperties": {"type": "string"}}

    run = await on.run(response_format=wants(texts))

    assert run["status"] == "failed"
    assert "1 is not of type string" in run["last_error"]["message"]


async def test_a_schema_that_never_ends_does_not_hold_a_worker(talk: Begin) -> None:
    twice = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(30)}
    endless = {"$defs": {**twice, "s30": {}}, "$ref": "#/$defs/s0"}
    slow = {"type": "string", "pattern": "^(a+)+$"}

    on = await talk(says("{}"), repeat=True)
    run = await on.run(response_format=wants(endless))
    assert run["status"] == "failed"
    assert "too long" in run["last_error"]["message"]

    on = await talk(says(f'"{"a" * 5_000}!"'), repeat=True)
    run = await on.run(response_format=wants(slow))
    assert run["status"] == "failed"
    assert "does not match" in run["last_error"]["message"]


def broken_off() -> Answers:
    """Half an answer, then the connection is gone."""
    return Answers(deltas=({"content": "four" * 25},) * 4, drop_after=4)


async def test_an_answer_that_broke_off_is_counted_too(talk: Begin) -> None:
    on = await talk(broken_off(), says("Whole.", usage=(10, 5)))

    run = await on.run()

    # Three pieces of 100 characters were heard: a quarter of that is a token.
    assert run["usage"]["completion_tokens"] == 75 + 5
    assert run["usage"]["prompt_tokens"] > 10


async def test_the_built_in_model_keeps_a_strict_schema(talk: Begin) -> None:
    on = await talk()

    run = await on.run(model="builtin", response_format=wants(POINT))

    assert run["status"] == "completed"
    assert json.loads((await on.texts())[-1]) == {"x": 0, "y": 0}
