"""Other people's clients, each with the address and the key of the test's own project."""

import pytest

from tests.clients.program import Client, installed


@pytest.fixture
def node(api_url: str, key: str) -> Client:
    """The official SDK for Node.js."""
    return installed("node", "node", base_url=f"{api_url}/v1", key=key)


@pytest.fixture
def langchain(api_url: str, key: str) -> Client:
    return installed("langchain", "python", base_url=f"{api_url}/v1", key=key)


@pytest.fixture
def semantic_kernel(api_url: str, key: str) -> Client:
    return installed("semantic_kernel", "python", base_url=f"{api_url}/v1", key=key)


@pytest.fixture
def autogen(api_url: str, key: str) -> Client:
    return installed("autogen", "python", base_url=f"{api_url}/v1", key=key)
