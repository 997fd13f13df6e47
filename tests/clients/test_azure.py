"""Azure's client of the Node SDK; that of the Python SDK is in `tests/api/test_azure.py`."""

import pytest

from tests.clients.program import Client
from tests.support.turns import says
from tests.support.upstream import Upstream


@pytest.mark.clients
@pytest.mark.timeout(600)  # where `make` has not installed it
@pytest.mark.parametrize("sdk", ["openai", "openai-4"])
async def test_an_app_of_azure_changes_its_endpoint_and_nothing_else(
    node: Client, upstream: Upstream, runs_worker: None, sdk: str
) -> None:
    model = upstream.script(says("Two."), says("Three."), says("Yes."))

    lines = await node.run("azure", model, SDK=sdk)

    assert lines == [
        ["completed"],
        ["Three."],
        [True],
        ["notes.txt", 1],
        ["Yes."],
        ["listed"],
        [401],
    ]
