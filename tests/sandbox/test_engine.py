"""The engine's absence: said in words by every part, and got over when it is back."""

import asyncio
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runtime.cli.output import CommandFailed
from runtime.cli.sandbox import app
from sandbox import SandboxClient, SandboxUnavailable
from sandbox.build import BuildFailed, build_image
from sandbox.docker_client import Docker, EngineAway, EngineForbidden, engine_trouble
from sandbox.engine import _run_to_the_end, ensure_engine
from sandbox.images import image_name
from tests.sandbox.harness import TOKEN, ManagerProcess


async def test_no_engine_is_said_within_seconds() -> None:
    with pytest.raises(EngineAway, match="no Docker engine answers"):
        await Docker("unix:///nowhere/docker.sock").version()
    with pytest.raises(EngineAway, match="no address that is known"):
        await Docker("ftp://nowhere").version()


async def test_building_without_an_engine_fails_in_words() -> None:
    with pytest.raises(BuildFailed, match="no Docker engine answers"):
        await build_image(docker_host="unix:///nowhere/docker.sock")


async def test_another_engine_than_our_own_is_never_installed() -> None:
    with pytest.raises(SandboxUnavailable, match="unset DOCKER_HOST"):
        await ensure_engine(print, docker_host="tcp://127.0.0.1:1")


async def test_a_socket_that_may_not_be_opened_is_told_from_one_that_is_away() -> None:
    trouble = engine_trouble(EngineForbidden("this user may not use the engine"))

    assert "usermod -aG docker" in str(trouble)
    assert "start Docker" not in str(trouble)


async def test_an_installation_is_not_broken_off(tmp_path: Path) -> None:
    said: list[str] = []
    code = f"sleep 0.6; ps -o pgid= $$ > {tmp_path}/group; touch {tmp_path}/done"
    installing = asyncio.create_task(_run_to_the_end(said.append, "sh", "-c", code))
    await asyncio.sleep(0.2)

    installing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await installing
    assert (tmp_path / "done").exists()
    assert int((tmp_path / "group").read_text()) != os.getpgrp()
    assert said == ["finishing the installation …"]


async def test_an_image_is_named_by_what_is_in_it() -> None:
    assert image_name() == image_name()
    assert image_name("python:3.13-slim") != image_name()


@pytest.mark.docker
async def test_an_engine_that_runs_is_left_alone(image: str) -> None:
    said: list[str] = []

    await ensure_engine(said.append)
    built = await build_image(said.append)

    assert built == image
    assert said == []


@pytest.mark.docker
async def test_a_manager_finds_an_engine_that_comes_back(
    image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's address is a link of ours, so that it can be away."""
    address = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
    manager = ManagerProcess(tmp_path, "test-away")
    await manager.start()
    client = SandboxClient(manager.url, TOKEN)
    try:
        with pytest.raises(SandboxUnavailable, match="start Docker, or point"):
            await client.open("s")

        address.symlink_to("/var/run/docker.sock")

        assert (await client.open("s")).fresh
    finally:
        await asyncio.wait_for(manager.stop(), 5)


def test_every_command_of_the_sandbox_explains_itself_with_an_example() -> None:
    for command in ("build", "prune", "serve"):
        result = CliRunner().invoke(app, [command, "--help"])

        assert result.exit_code == 0
        assert f"Example: assistants sandbox {command}" in result.output


@pytest.mark.docker
def test_the_build_command_says_which_image_is_ready(image: str) -> None:
    result = CliRunner().invoke(app, ["build"])

    assert result.exit_code == 0
    assert image in result.output


def test_a_build_that_fails_says_why_in_a_sentence() -> None:
    arguments = ["build", "--docker-host", "unix:///nowhere/docker.sock"]

    result = CliRunner().invoke(app, arguments)

    assert isinstance(result.exception, CommandFailed)
    assert "no Docker engine answers" in str(result.exception)
