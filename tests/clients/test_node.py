"""The official SDK for Node.js: the newest, and the one most apps were written for."""

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.clients.program import Client
from tests.support.turns import calls, fails, says
from tests.support.upstream import Upstream

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(600),  # where `make` has not installed them
    pytest.mark.usefixtures("runs_worker", "ingest_worker"),
]

WANTS_SUM = calls(("add", {"numbers": [1, 2]}), pieces=3)
DRAWING = "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nprint(1)"

TOLD_OF_MESSAGE = [
    "event thread.run.step.created",
    "runStepCreated",
    "event thread.run.step.in_progress",
    "event thread.message.created",
    "messageCreated",
    "event thread.message.in_progress",
]


@pytest.fixture(params=["openai", "openai-4"])
def sdk(request: pytest.FixtureRequest) -> str:
    """The package of a major version, as `package.json` names it."""
    name: str = request.param
    return name


def told(lines: list[Any], sdk: str) -> list[str]:
    """The callbacks in order; rounds of deltas, which may be cut anyhow, once."""
    names = [f"{n} {values[0]}" if n == "event" else n for n, *values in lines]
    # Nobody is told of `run` in the old version.
    assert ("run" in names) == (sdk == "openai")
    names = [name for name in names if name != "run" and "elta" not in name]
    return [name for name, _ in groupby(names)]


def about(lines: list[Any], name: str) -> list[Any]:
    """What came with each call of one callback."""
    return [values for told, *values in lines if told == name]


async def test_a_streamed_function_call_calls_every_callback_in_order(
    node: Client, upstream: Upstream, sdk: str
) -> None:
    model = upstream.script(WANTS_SUM, says("It is 3."))

    lines = await node.run("function_stream", model, SDK=sdk)

    then = lines.index(["then"])
    asked, answered = lines[:then], lines[then + 1 : -1]
    assert told(asked, sdk) == [
        "event thread.run.created",
        "event thread.run.queued",
        "event thread.run.in_progress",
        "event thread.run.step.created",
        "runStepCreated",
        "event thread.run.step.in_progress",
        "toolCallCreated",
        "event thread.run.requires_action",
        "toolCallDone",
        "end",
    ]
    ((call,),) = about(asked, "toolCallDone")
    assert call["id"].count("call_") == 1
    assert call["function"]["name"] == "add"
    assert call["function"]["arguments"] == '{"numbers": [1, 2]}'
    assert told(answered, sdk) == [
        "event thread.run.step.completed",
        "runStepDone",
        "event thread.run.queued",
        "event thread.run.in_progress",
        *TOLD_OF_MESSAGE,
        "textCreated",
        "event thread.message.completed",
        "textDone",
        "messageDone",
        "event thread.run.step.completed",
        "runStepDone",
        "event thread.run.completed",
        "end",
    ]
    assert "".join(piece for (piece,) in about(answered, "textDelta")) == "It is 3."
    assert about(answered, "textDone") == [[{"value": "It is 3.", "annotations": []}]]
    assert lines[-1] == ["messages", "It is 3."]


async def test_words_before_a_streamed_call_end_before_it_begins(
    node: Client, upstream: Upstream, sdk: str
) -> None:
    spoken = calls(("add", {"numbers": [1, 2]}), text="Let me see.")
    model = upstream.script(spoken, says("It is 3."))

    lines = await node.run("function_stream", model, SDK=sdk)

    assert told(lines[: lines.index(["then"])], sdk)[3:] == [
        *TOLD_OF_MESSAGE,
        "textCreated",
        "event thread.message.completed",
        "textDone",
        "messageDone",
        "event thread.run.step.completed",
        "runStepDone",
        "event thread.run.step.created",
        "runStepCreated",
        "event thread.run.step.in_progress",
        "toolCallCreated",
        "event thread.run.requires_action",
        "toolCallDone",
        "end",
    ]
    assert lines[-1] == ["messages", "It is 3."]


@pytest.mark.docker
@pytest.mark.usefixtures("sandbox")
@pytest.mark.xdist_group("sandbox")
async def test_a_streamed_picture_is_a_callback_between_code_and_words(
    node: Client, sdk: str
) -> None:
    question, tools = f"```python\n{DRAWING}\n```", '[{"type": "code_interpreter"}]'

    lines = await node.run("stream", "builtin", question, tools, SDK=sdk)

    assert told(lines[:-1], sdk) == [
        "event thread.created",
        "event thread.run.created",
        "event thread.run.queued",
        "event thread.run.in_progress",
        "event thread.run.step.created",
        "runStepCreated",
        "event thread.run.step.in_progress",
        "toolCallCreated",
        "event thread.run.step.completed",
        "toolCallDone",
        "runStepDone",
        *TOLD_OF_MESSAGE,
        "textCreated",
        "imageFileDone",
        "event thread.message.completed",
        "textDone",
        "messageDone",
        "event thread.run.step.completed",
        "runStepDone",
        "event thread.run.completed",
        "end",
    ]
    ((call,),) = about(lines, "toolCallDone")
    assert call["code_interpreter"]["input"] == DRAWING
    logs, image = call["code_interpreter"]["outputs"]
    assert logs["logs"] == "1\n"
    assert [image["image"]["file_id"]] in about(lines, "imageFileDone")
    assert lines[-1] == ["final", "completed"]


async def test_the_helpers_that_poll_come_to_an_end(
    node: Client, upstream: Upstream, sdk: str
) -> None:
    model = upstream.script(WANTS_SUM, says("It is 3."), says("3."))

    assert await node.run("polling", model, SDK=sdk) == [
        ["requires_action"],
        ["completed", 30],
        ["tool_calls", "completed"],
        ["message_creation", "completed"],
        ["completed"],
    ]


async def test_files_are_uploaded_searched_paged_and_sent_in_parts(
    node: Client, tmp_path: Path, sdk: str
) -> None:
    tides = tmp_path / "tides.txt"
    tides.write_text("High water is at half past six.")
    names = ["a.txt", "b.txt", "c.txt", "tides.txt"]

    assert await node.run("files", str(tides), SDK=sdk) == [
        ["file", "tides.txt", 31, "processed"],
        ["content", "High water is at half past six."],
        ["batch", "completed", 4],
        ["found", "tides.txt"],
        ["files", "asc", names],
        ["files", "desc", names],
        ["listed", 4],
        ["upload", "completed", 11],
    ]


async def test_refusals_are_the_sdks_own_errors(
    node: Client, upstream: Upstream, sdk: str
) -> None:
    broken = upstream.script(fails(400), repeat=True)
    busy = upstream.script(fails(429, retry_after=0.01), repeat=True)

    assert await node.run("refusals", broken, busy, SDK=sdk) == [
        ["BadRequestError", 400, "temperature", True],
        ["BadRequestError", 400, "temprature", True],
        ["NotFoundError", 404, None, True],
        ["AuthenticationError", 401, None, True],
        ["RateLimitError", 429, None, True],
        ["failed", "invalid_prompt"],
        ["BadRequestError", 400, None, True],
    ]
