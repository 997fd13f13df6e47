"""A real manager process on a real engine; each test has a session of its own."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import SandboxClient
from sandbox.build import build_image
from sandbox.docker_client import Docker
from sandbox.prune import remove_containers
from tests.sandbox.harness import TOKEN, Cells, ManagerProcess


@pytest.fixture(scope="session")
async def image() -> str:
    """The image, built if it is not there."""
    return await build_image(print)


@pytest.fixture(scope="session")
async def sandbox_manager(image: str) -> AsyncIterator[ManagerProcess]:
    """The manager that most tests share."""
    async for manager in _manager("--warm", "1"):
        yield manager


@pytest.fixture
async def own_manager(image: str) -> AsyncIterator[ManagerProcess]:
    """A manager that this test may stop and kill; expires after two idle seconds."""
    options = ("--warm", "0", "--idle-seconds", "2", "--max-sessions", "2")
    async for manager in _manager(*options, "--keep-sessions"):
        yield manager


async def _manager(*options: str) -> AsyncIterator[ManagerProcess]:
    with tempfile.TemporaryDirectory(prefix="sandbox-test-") as folder:
        instance = f"test-{os.getpid()}-{secrets.token_hex(3)}"
        manager = ManagerProcess(Path(folder), instance, options)
        await manager.start()
        try:
            yield manager
        finally:
            await manager.stop()
            await remove_containers(instance=instance)


@pytest.fixture
async def docker() -> AsyncIterator[Docker]:
    """The engine itself, to look behind the manager."""
    async with Docker() as engine:
        yield engine


@pytest.fixture
def client(sandbox_manager: ManagerProcess) -> SandboxClient:
    return SandboxClient(sandbox_manager.url, TOKEN)


@pytest.fixture
async def cells(client: SandboxClient) -> AsyncIterator[Cells]:
    """A fresh container, removed afterwards."""
    session_id = f"session-{secrets.token_hex(4)}"
    yield Cells(client, session_id, await client.open(session_id))
    await client.end(session_id)
