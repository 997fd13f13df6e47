"""Requests to the manager: who may ask, how much, for how long, and how a link ends."""

import asyncio
from pathlib import Path

import pytest

from sandbox import SandboxClient, SandboxError, SandboxUnavailable
from sandbox.link import Link
from tests.sandbox.harness import TOKEN, Cells, ManagerProcess

pytestmark = pytest.mark.docker


async def test_a_wrong_token_is_refused(sandbox_manager: ManagerProcess) -> None:
    client = SandboxClient(sandbox_manager.url, "wrong")

    with pytest.raises(SandboxError, match="does not accept this token"):
        await client.open("x")
    assert not (await client.health()).ok


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"[]\n",
        b'{"blob": -1}\n',
        b'{"blob": 99999999999}\n',
        b'{"proof": 5, "do": "end"}\n',
        '{"proof": "é"}\n'.encode(),
        b'{"proof": "\\ud800"}\n',
        b'{"proof": "x", "blob": 8000000}\n',
        b"{" * 100_000 + b"\n",
    ],
)
async def test_a_stranger_gets_nothing_and_does_no_harm(
    sandbox_manager: ManagerProcess, client: SandboxClient, line: bytes
) -> None:
    path = sandbox_manager.url.removeprefix("unix://")
    reader, writer = await asyncio.open_unix_connection(path)
    await reader.readline()
    writer.write(line)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert b"error" in answer or answer == b""
    assert (await client.health()).ok


async def test_a_malformed_request_is_answered(
    sandbox_manager: ManagerProcess, client: SandboxClient
) -> None:
    for request in ({"do": "open"}, {"do": "destroy"}, {"do": "execute", "session": 1}):
        with pytest.raises(SandboxError):
            await client._ask(request)


async def test_code_that_is_too_long_is_refused_in_a_sentence(cells: Cells) -> None:
    with pytest.raises(SandboxError, match="longer than a megabyte"):
        await cells.run("#" * 9_000_000)
    assert (await cells.run("#" * 1_000_000 + "\n'é'")).logs == "'é'\n"


@pytest.mark.parametrize("greets", [False, True])
async def test_a_manager_that_is_frozen_holds_nobody(
    tmp_path: Path, greets: bool
) -> None:
    async def freeze(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if greets:
            writer.write(b'{"nonce": "n"}\n')
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(freeze, tmp_path / "m.sock")
    client = SandboxClient(f"unix://{tmp_path}/m.sock", TOKEN, patience_seconds=0.1)
    async with asyncio.timeout(10):
        for asked in (
            client.open("s"),
            client.interrupt("s", "1"),
            client.end("s"),
            client.put("s", "e", "name", b"data"),
            anext(client.read("s", "e", "name")),
            client.execute("s", "1", "1", epoch="e", timeout_seconds=0.1),
        ):
            with pytest.raises(SandboxUnavailable, match="has not answered for"):
                await asked
        assert not (await client.health()).ok
    server.close()


async def test_the_socket_is_its_owners_alone(
    sandbox_manager: ManagerProcess,
) -> None:
    assert (sandbox_manager.folder / "m.sock").stat().st_mode & 0o777 == 0o600


async def test_no_manager_is_said_with_the_remedy() -> None:
    client = SandboxClient("unix:///nowhere/m.sock", TOKEN)

    with pytest.raises(SandboxUnavailable, match="assistants sandbox serve"):
        await client.open("x")
    assert not (await client.health()).ok


async def test_health_says_that_all_is_well(client: SandboxClient) -> None:
    health = await client.health()

    assert health.ok
    assert "every restriction holds" in health.sentences[0]


async def test_a_link_ends_in_words_when_the_other_side_hangs_up(
    sandbox_manager: ManagerProcess,
) -> None:
    connection = await Link.open(sandbox_manager.url)
    greeting, blob = await connection.receive()
    await connection.close()

    assert len(greeting["nonce"]) == 32
    assert blob == b""
