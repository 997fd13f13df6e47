"""The messages that a waiting run brings: kept apart until it is let in."""

from tests.engine.talk import call
from tests.runs.busy import ask, asked, echo
from tests.runs.conftest import Begin, Hold
from tests.support.make import Make
from tests.support.turns import says


async def test_a_run_waits_for_its_thread_and_then_answers_its_own_message(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(echo, repeat=True)
    held = await hold(on)

    first = await asked(on, "queue", "One.", "Two.")
    second = await asked(on, "queue", "Three.")

    assert [first["status"], second["status"]] == ["queued", "queued"]
    # Its time begins when it is let in.
    assert (first["expires_at"], first["started_at"]) == (None, None)
    assert await on.texts() == ["Hello."]
    await on.cancel(held)
    assert (await on.settled(second["id"]))["status"] == "completed"
    assert (await on.get(first["id"]))["status"] == "completed"
    assert await on.texts() == [
        *("Hello.", "One.", "Two.", "You said Two."),
        *("Three.", "You said Three."),
    ]


async def test_a_run_that_waits_is_cancelled_at_once_and_brings_nothing(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(echo, repeat=True)
    held = await hold(on)
    first = await asked(on, "queue", "Never said.")
    second = await asked(on, "queue", "Said.")

    cancelled = (await on.cancel(first["id"])).json()

    assert cancelled["status"] == "cancelled"
    assert cancelled["cancelled_at"] is not None
    assert (await on.cancel(first["id"])).status_code == 400
    assert (await on.get(held))["status"] == "requires_action"
    await on.cancel(held)
    assert (await on.settled(second["id"]))["status"] == "completed"
    assert await on.texts() == ["Hello.", "Said.", "You said Said."]


async def test_files_are_looked_for_when_a_run_begins_to_wait(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(says("Hi."))
    await hold(on)
    tools = [{"type": "code_interpreter"}]
    attached = {"attachments": [{"file_id": "file-none", "tools": tools}]}
    image = {"type": "image_file", "image_file": {"file_id": "file-none"}}

    for message in ({"content": "Read.", **attached}, {"content": [image]}):
        response = await ask(
            on, "queue", additional_messages=[{"role": "user", **message}]
        )
        assert response.status_code == 404
        assert "file-none" in response.json()["error"]["message"]
    page = await call(on.api, "GET", f"{on.path}/runs")
    assert len(page["data"]) == 1


async def test_a_file_that_is_gone_when_a_run_is_let_in_fails_that_run_alone(
    talk: Begin, hold: Hold, make: Make
) -> None:
    on = await talk(echo, repeat=True)
    held = await hold(on)
    file = await make.file()
    tools = [{"type": "file_search"}]
    fine = {"role": "user", "content": "Not without the other."}
    spoilt = {
        "role": "user",
        "content": "Read.",
        "attachments": [{"file_id": file.id, "tools": tools}],
    }
    broken = await asked(on, "queue")
    await on.cancel(broken["id"])
    broken = (await ask(on, "queue", additional_messages=[fine, spoilt])).json()
    after = await asked(on, "queue", "Still there?")
    assert (await on.api.delete(f"/files/{file.id}")).status_code == 200

    assert (await on.cancel(held)).json()["status"] == "cancelled"

    assert (await on.settled(after["id"]))["status"] == "completed"
    failed = await on.get(broken["id"])
    assert failed["status"] == "failed"
    assert failed["last_error"]["code"] == "invalid_prompt"
    assert file.id in failed["last_error"]["message"]
    # All of its messages or none.
    assert await on.texts() == ["Hello.", "Still there?", "You said Still there?"]


async def test_attachments_of_a_waiting_run_reach_the_threads_tools_with_it(
    talk: Begin, hold: Hold, make: Make
) -> None:
    on = await talk(says("Read."))
    held = await hold(on)
    file = await make.file()
    tools = [{"type": "file_search"}, {"type": "code_interpreter"}]
    message = {
        "role": "user",
        "content": [{"type": "text", "text": "Read."}],
        "attachments": [{"file_id": file.id, "tools": tools}],
        "metadata": {"kept": "too"},
    }
    run = (await ask(on, "queue", additional_messages=[message])).json()
    before = await call(on.api, "GET", on.path)
    assert before["tool_resources"] in ({}, None)

    await on.cancel(held)

    await on.settled(run["id"])
    resources = (await call(on.api, "GET", on.path))["tool_resources"]
    assert resources["code_interpreter"]["file_ids"] == [file.id]
    assert len(resources["file_search"]["vector_store_ids"]) == 1
    brought = (await on.messages())[1]
    assert brought["metadata"] == {"kept": "too"}
    assert brought["attachments"] == [{"file_id": file.id, "tools": tools}]
