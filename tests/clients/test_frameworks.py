"""What other people have built on assistants: LangChain, Semantic Kernel, AutoGen.

Each of them with the official SDK in the major version that it is used with: LangChain
with 2, Semantic Kernel with 3, AutoGen with 1.
"""

from pathlib import Path

import pytest

from tests.clients.program import Client
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(600),  # where `make` has not installed them
    pytest.mark.usefixtures("runs_worker", "ingest_worker"),
]

TIDES = "High water is at half past six in the morning."
WANTS_SUM = calls(("add", {"numbers": [1, 2]}), pieces=3)


async def test_langchain_calls_our_function_and_goes_on_talking(
    langchain: Client, upstream: Upstream
) -> None:
    model = upstream.script(WANTS_SUM, says("It is 3."), says("I am."))

    first, second = await langchain.run("functions", model)

    assert first == ["It is 3.", [["add", {"numbers": [1, 2]}, "3"]]]
    assert second == ["I am.", []]
    asked = upstream.requests(model)[-1]["messages"]
    assert [message["role"] for message in asked] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


async def test_langchain_attaches_a_file_to_a_question(langchain: Client) -> None:
    (said,) = await langchain.run("search", "builtin", "When is high water?", TIDES)

    assert TIDES in said["answer"]
    assert said["cited"] == [said["file"]]


async def test_semantic_kernel_calls_a_plugin_whole_and_streamed(
    semantic_kernel: Client, upstream: Upstream
) -> None:
    model = upstream.script(
        calls(("Menu-price", {"dish": "soup"})),
        says("Nine euros."),
        calls(("Menu-price", {"dish": "fish"})),
        says("Nine", pieces=1),
    )

    assert await semantic_kernel.run("functions", model) == [
        ["call", "Menu-price", '{"dish": "soup"}'],
        ["result", "soup costs 9 euros"],
        ["text", "Nine euros."],
        ["call", "Menu-price", '{"dish": "fish"}'],
        ["result", "fish costs 9 euros"],
        ["text", "Nine"],
        ["user", "What is the soup?"],
        ["assistant", "Nine euros."],
        ["user", "And the fish?"],
        ["assistant", "Nine"],
    ]


async def test_autogen_calls_our_function_and_forgets(
    autogen: Client, upstream: Upstream
) -> None:
    model = upstream.script(WANTS_SUM, says("It is 3."))

    called, results, answer, left = await autogen.run("functions", model)

    assert called == [["add", '{"numbers": [1, 2]}']]
    assert results == ["3"]
    assert answer == "It is 3."
    assert left == 0


async def test_autogen_searches_its_files_and_cleans_up(
    autogen: Client, tmp_path: Path
) -> None:
    tides = tmp_path / "tides.txt"
    tides.write_text(TIDES)

    answer, *left = await autogen.run(
        "search", "builtin", "When is high water?", str(tides)
    )

    assert TIDES in answer
    assert left == [0, 0, 0]
