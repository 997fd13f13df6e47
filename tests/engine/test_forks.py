"""What a model is asked on a forked thread: what it would be on the original."""

from typing import Any

import httpx2

from tests.engine.talk import ADD, Talk, answers, begin, call
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

Json = dict[str, Any]


async def test_a_run_on_a_fork_reads_what_one_on_the_original_does(
    api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None
) -> None:
    two_calls = calls(("add", {"a": 1}), ("add", {"a": 2}), text="Let me see.")
    on = await begin(
        api,
        upstream,
        two_calls,
        says("Three."),
        # No word of the user between two runs.
        calls(("add", {"a": 4})),
        calls(("add", {"a": 5})),
        says("Nine."),
        says("Same."),
        says("Same."),
        tools=[ADD],
    )
    for outputs in (["1", "2"], ["4"], ["5"]):
        runs = (await call(api, "GET", f"{on.path}/runs"))["data"]
        if not runs or runs[0]["status"] == "completed":
            run = await on.run()
        else:
            run = await on.settled(runs[0]["id"])
        assert (await on.submit(run, *outputs)).status_code == 200, answers(run, "x")
        await on.settled(run["id"])

    copy = await call(api, "POST", f"{on.path}/fork")
    forked = Talk(api, upstream, on.model, on.assistant_id, copy["id"])
    again = await call(api, "POST", f"{forked.path}/fork")
    forked_again = Talk(api, upstream, on.model, on.assistant_id, again["id"])
    for talk in (on, forked, forked_again):
        await talk.say("And now?")
    await on.run()
    await forked.run()
    upstream_asked = [_without_ids(r["messages"]) for r in on.requests[-2:]]

    assert upstream_asked[0] == upstream_asked[1]
    assert [m["role"] for m in upstream_asked[1]] == [
        *("user", "assistant", "assistant", "tool", "tool", "assistant"),
        *("assistant", "tool", "assistant", "tool", "assistant", "user"),
    ]
    ids = [_call_ids(request["messages"]) for request in on.requests[-2:]]
    assert set(ids[0]).isdisjoint(ids[1])
    assert len(set(ids[1])) == 4
    # What a run said is not claimed by it on the fork.
    said = await forked.messages()
    assert {m["run_id"] for m in said[:-2]} == {None}
    assert {m["assistant_id"] for m in said if m["role"] == "assistant"} == {
        on.assistant_id
    }
    assert (await call(api, "GET", f"{forked_again.path}/runs"))["data"] == []


def _without_ids(messages: list[Json]) -> list[Json]:
    """Messages as they were sent, but calls numbered in their order."""
    numbers: dict[str, int] = {}
    plain = []
    for message in messages:
        shown = dict(message)
        if "tool_calls" in message:
            shown["tool_calls"] = [
                call | {"id": numbers.setdefault(call["id"], len(numbers))}
                for call in message["tool_calls"]
            ]
        if "tool_call_id" in message:
            shown["tool_call_id"] = numbers[message["tool_call_id"]]
        plain.append(shown)
    return plain


def _call_ids(messages: list[Json]) -> list[str]:
    return [made["id"] for m in messages for made in m.get("tool_calls") or ()]
