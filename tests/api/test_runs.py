"""`/threads/{thread_id}/runs`: what may be asked, and who wins when two ask."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.engine.talk import ADD, Talk, answers, begin, call, open_calls
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

Begin = Callable[..., Awaitable[Talk]]
SLOW = says("word " * 100, chunk_delay_seconds=0.05)


@pytest.fixture
def talk(api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None) -> Begin:
    return partial(begin, api, upstream)


async def start(on: Talk, **body: Any) -> httpx2.Response:
    return await on.api.post(
        f"{on.path}/runs", json={"assistant_id": on.assistant_id, **body}
    )


async def test_a_new_run_shows_all_its_fields(talk: Begin) -> None:
    on = await talk(
        says("Hi."),
        instructions="Be brief.",
        temperature=0.5,
        tools=[ADD],
        metadata={"of": "assistant"},
    )

    run = (await start(on, metadata={"of": "run"}, max_prompt_tokens=1000)).json()

    assert run["object"] == "thread.run"
    assert run["status"] == "queued"
    assert run["instructions"] == "Be brief."
    assert (run["temperature"], run["top_p"]) == (0.5, 1.0)
    assert run["metadata"] == {"of": "run"}
    assert run["max_prompt_tokens"] == 1000
    assert run["expires_at"] == run["created_at"] + 600
    assert run["truncation_strategy"] == {"type": "auto", "last_messages": None}
    assert run["usage"] is None
    assert run["tools"][0]["function"]["name"] == "add"
    assert (await on.settled(run["id"]))["expires_at"] is None


async def test_sampling_that_nobody_chose_is_shown_as_1_and_left_to_the_model(
    talk: Begin,
) -> None:
    on = await talk(says("Hi."))

    run = await on.run()

    (asked,) = on.requests
    assert (run["temperature"], run["top_p"]) == (1.0, 1.0)
    assert not {"temperature", "top_p"} & set(asked)


async def test_a_run_asks_with_its_own_settings(talk: Begin) -> None:
    on = await talk(says('{"say": "Hi."}'), instructions="Old.", temperature=1.0)

    await on.run(
        instructions="New.",
        additional_instructions="And kind.",
        additional_messages=[{"role": "user", "content": "One more thing."}],
        temperature=0.0,
        top_p=0.5,
        response_format={"type": "json_object"},
        reasoning_effort="low",
        parallel_tool_calls=False,
        tools=[ADD],
    )

    (asked,) = on.requests
    assert [m["content"] for m in asked["messages"]] == [
        "New.\n\nAnd kind.",
        "Hello.",
        "One more thing.",
    ]
    assert (asked["temperature"], asked["top_p"]) == (0.0, 0.5)
    assert asked["response_format"] == {"type": "json_object"}
    assert asked["reasoning_effort"] == "low"
    assert asked["parallel_tool_calls"] is False


async def test_of_two_runs_created_at_once_one_is_refused(talk: Begin) -> None:
    on = await talk(SLOW)

    responses = await asyncio.gather(*(start(on) for _ in range(6)))

    winners = [r.json() for r in responses if r.status_code == 200]
    losers = [r.json()["error"] for r in responses if r.status_code != 200]
    assert len(winners) == 1
    assert {r.status_code for r in responses} == {200, 400}
    assert all(winners[0]["id"] in error["message"] for error in losers)
    await on.cancel(winners[0]["id"])


async def test_a_message_is_refused_while_a_run_is_live(talk: Begin) -> None:
    on = await talk(SLOW)
    run = (await start(on)).json()

    refused = await on.say("Wait!")

    assert refused.status_code == 400
    assert run["id"] in refused.json()["error"]["message"]
    await on.cancel(run["id"])
    await on.until(run["id"], "cancelled")
    assert (await on.say("Now.")).status_code == 200


async def test_additional_messages_of_a_refused_run_are_not_kept(talk: Begin) -> None:
    on = await talk(says("Hi."))

    response = await on.api.post(
        f"{on.path}/runs",
        json={
            "assistant_id": "asst_none",
            "additional_messages": [{"role": "user", "content": "Lost."}],
        },
    )

    assert response.status_code == 404
    assert await on.texts() == ["Hello."]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda given: given[:1], "missing"),
        (lambda given: [], "missing"),
        (lambda given: [*given, {"tool_call_id": "call_x", "output": ""}], "call_x"),
        (lambda given: [*given, given[0]], "twice"),
    ],
    ids=["partial", "none", "unknown", "double"],
)
async def test_outputs_must_be_those_of_all_open_calls(
    talk: Begin, change: Callable[[list[Any]], list[Any]], word: str
) -> None:
    on = await talk(
        calls(("add", {"a": 1}), ("add", {"a": 2})), says("Ok."), tools=[ADD]
    )
    run = await on.run()

    response = await on.api.post(
        f"{on.path}/runs/{run['id']}/submit_tool_outputs",
        json={"tool_outputs": change(answers(run, "1", "2"))},
    )

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "tool_outputs"
    assert word in response.json()["error"]["message"]
    assert (await on.get(run["id"]))["status"] == "requires_action"
    assert (await on.submit(run, "1", "2")).json()["status"] == "queued"
    assert (await on.settled(run["id"]))["status"] == "completed"


async def test_of_two_submits_at_once_one_is_refused(talk: Begin) -> None:
    on = await talk(calls(("add", {})), says("Ok."), tools=[ADD])
    run = await on.run()

    responses = await asyncio.gather(*(on.submit(run, str(n)) for n in range(5)))

    assert sorted(r.status_code for r in responses) == [200, 400, 400, 400, 400]
    assert (await on.settled(run["id"]))["status"] == "completed"
    assert len(on.requests) == 2
    winner = next(n for n, r in enumerate(responses) if r.status_code == 200)
    assert on.requests[1]["messages"][-1]["content"] == str(winner)


async def test_outputs_of_a_run_that_wants_none_are_refused(talk: Begin) -> None:
    on = await talk(says("Hi."))
    run = await on.run()

    response = await on.api.post(
        f"{on.path}/runs/{run['id']}/submit_tool_outputs", json={"tool_outputs": []}
    )

    assert response.status_code == 400
    assert "completed" in response.json()["error"]["message"]


async def test_an_output_left_out_means_the_function_gave_nothing(
    talk: Begin,
) -> None:
    on = await talk(calls(("add", {})), says("Ok."), tools=[ADD])
    run = await on.run()

    response = await on.api.post(
        f"{on.path}/runs/{run['id']}/submit_tool_outputs",
        json={"tool_outputs": [{"tool_call_id": open_calls(run)[0]["id"]}]},
    )

    assert response.status_code == 200
    await on.settled(run["id"])
    assert on.requests[1]["messages"][-1]["content"] == ""


async def test_a_run_is_listed_newest_first_and_its_metadata_changes(
    talk: Begin,
) -> None:
    on = await talk(says("Hi."), repeat=True)
    runs = [(await on.run())["id"] for _ in range(3)]

    page = await call(on.api, "GET", f"{on.path}/runs", params={"limit": 2})

    assert [run["id"] for run in page["data"]] == runs[:0:-1]
    assert page["has_more"] is True
    changed = await call(
        on.api, "POST", f"{on.path}/runs/{runs[0]}", json={"metadata": {"a": "b"}}
    )
    assert changed["metadata"] == {"a": "b"}
    kept = await call(on.api, "POST", f"{on.path}/runs/{runs[0]}", json={})
    assert kept["metadata"] == {"a": "b"}


async def test_tool_resources_of_a_new_thread_and_run_stand_in_for_the_assistants(
    talk: Begin,
) -> None:
    on = await talk(says("Hi."))

    run = await call(
        on.api,
        "POST",
        "/threads/runs",
        json={
            "assistant_id": on.assistant_id,
            "thread": {"metadata": {"a": "b"}},
            "tool_resources": {"code_interpreter": {"file_ids": []}},
        },
    )

    thread = await call(on.api, "GET", f"/threads/{run['thread_id']}")
    assert thread["metadata"] == {"a": "b"}


@pytest.mark.parametrize(
    "body",
    [
        {"max_prompt_tokens": 255},
        {"max_completion_tokens": 0},
        {"temperature": 2.1},
        {"top_p": -0.1},
        {"tools": [ADD] * 21},
        {"tool_choice": {"type": "function"}},
        {"tool_choice": "sometimes"},
        {"truncation_strategy": {"type": "last_messages"}},
        {"metadata": {"k": "v" * 513}},
        {"instructions": "a\0b"},
        {"model": ""},
        {"unheard_of": 1},
        {"additional_messages": [{"role": "system", "content": "x"}]},
    ],
    ids=lambda body: next(iter(body)),
)
async def test_what_a_run_cannot_be_asked_is_refused(
    talk: Begin, body: dict[str, Any]
) -> None:
    on = await talk(says("Hi."))

    response = await start(on, **body)

    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert next(iter(body)) in (error["param"] or "")
    assert (await start(on)).status_code == 200


async def test_an_unknown_assistant_thread_or_run_is_not_found(talk: Begin) -> None:
    on = await talk(says("Hi."))
    run = await on.run()
    other = await call(on.api, "POST", "/threads")

    for method, path in (
        ("GET", f"/threads/thread_none/runs/{run['id']}"),
        ("GET", f"/threads/{other['id']}/runs/{run['id']}"),
        ("GET", f"{on.path}/runs/run_none"),
        ("POST", f"{on.path}/runs/run_none/cancel"),
        ("GET", f"{on.path}/runs/run_none/stream"),
        ("GET", "/threads/thread_none/runs"),
    ):
        response = await on.api.request(method, path)
        assert response.status_code == 404, path
        assert response.json()["error"]["code"] == "not_found"
