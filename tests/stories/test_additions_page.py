"""Each example on the page of additions runs as it is written there."""

import asyncio
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.support.turns import says
from tests.support.upstream import Upstream

pytestmark = pytest.mark.usefixtures("runs_worker")

_PAGE = Path(__file__).parents[2] / "runtime" / "api" / "ADDITIONS.md"
_PREPARATION, *_EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", _PAGE.read_text(), re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("example", _EXAMPLES)
async def test_an_example_runs_as_it_is_written(
    example: str, api_url: str, key: str, upstream: Upstream
) -> None:
    preparation = _PREPARATION.replace("http://127.0.0.1:8000", api_url)
    preparation = preparation.replace("sk-…", key)

    def run() -> None:
        names: dict[str, Any] = {}
        exec(preparation, names)  # noqa: S102  # our own page
        with names["client"] as client:
            names.update(_spoken_of(client, upstream))
            exec(example, names)  # noqa: S102  # our own page

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        await asyncio.to_thread(run)


def _spoken_of(client: OpenAI, upstream: Upstream) -> dict[str, Any]:
    """What the examples take for granted."""
    assistant = client.beta.assistants.create(model=upstream.script(says("Bonjour.")))
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "Where is my invoice?"}],
        metadata={"user": "42"},
    )
    (message,) = client.beta.threads.messages.list(thread.id)
    return {"assistant": assistant, "thread": thread, "message": message}
