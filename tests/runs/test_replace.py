"""A run may take the place of another: `busy_policy: replace`."""

from tests.api.keys import new_key
from tests.runs.busy import ask, asked, echo, speaks
from tests.runs.conftest import Begin, Hold
from tests.support.stream import names, read_stream
from tests.support.turns import says


async def test_replace_stops_what_speaks_and_goes_next(talk: Begin) -> None:
    on = await talk(says("word " * 200, chunk_delay_seconds=0.05), echo, repeat=True)
    first = await on.create()
    await speaks(on, first)
    waits = await asked(on, "queue", "Lost.")

    run = await asked(on, "replace", "Rather this.")

    assert (await on.get(waits["id"]))["status"] == "cancelled"
    assert (await on.get(first["id"]))["status"] in ("cancelling", "cancelled")
    assert (await on.settled(run["id"]))["status"] == "completed"
    assert (await on.get(first["id"]))["status"] == "cancelled"
    texts = await on.texts()
    assert texts[-2:] == ["Rather this.", "You said Rather this."]
    assert "Lost." not in texts


async def test_replace_takes_at_once_what_nobody_works_on(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(echo, repeat=True)
    held = await hold(on)
    waiting = [await asked(on, "queue", "Lost.") for _ in range(3)]

    run = await asked(on, "replace", "Rather this.")

    assert run["expires_at"] is not None
    for gone in (held, *(each["id"] for each in waiting)):
        assert (await on.get(gone))["status"] == "cancelled"
    assert (await on.settled(run["id"]))["status"] == "completed"
    assert await on.texts() == ["Hello.", "Rather this.", "You said Rather this."]


async def test_a_replacements_stream_tells_of_no_other_run(
    talk: Begin, hold: Hold
) -> None:
    on, key = await talk(echo, repeat=True), new_key()
    await hold(on)
    await asked(on, "queue", "Lost.")
    body = {"assistant_id": on.assistant_id, "busy_policy": "replace", "stream": True}

    told, again = [
        await read_stream(on.api, "POST", f"{on.path}/runs", json=body, headers=key)
        for _ in range(2)
    ]

    assert names(told)[:3] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
    ]
    assert names(told)[-2:] == ["thread.run.completed", "done"]
    assert again == told


async def test_a_replacement_that_is_refused_stops_nothing(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(says("Hi."))
    held = await hold(on)
    waits = await asked(on, "queue")

    response = await ask(on, "replace", assistant_id="asst_none")

    assert response.status_code == 404
    assert (await on.get(held))["status"] == "requires_action"
    assert (await on.get(waits["id"]))["status"] == "queued"
