"""The engine asked in threads: hung, far away, or speaking before it is spoken to."""

import asyncio
import secrets
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox import SandboxClient
from sandbox.docker_client import DEFAULT_HOST, Docker, EngineAway
from sandbox.starting import PoolSettings, start
from tests.sandbox.harness import TOKEN, ManagerProcess

_ENGINE = DEFAULT_HOST.removeprefix("unix://")

_SSH = f"""#!{sys.executable}
import os, socket, sys, threading
assert sys.argv[-4:] == ["ssh://me@far", "docker", "system", "dial-stdio"], sys.argv
engine = socket.socket(socket.AF_UNIX)
engine.connect({_ENGINE!r})

def there():
    while block := os.read(0, 65536):
        engine.sendall(block)
    engine.shutdown(socket.SHUT_WR)

threading.Thread(target=there, daemon=True).start()
while block := engine.recv(65536):
    os.write(1, block)
"""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _engine_that(answers: Handler, folder: Path) -> AsyncIterator[str]:
    server = await asyncio.start_unix_server(answers, folder / "engine.sock")
    try:
        yield f"unix://{folder}/engine.sock"
    finally:
        server.close()


async def _say_nothing(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await reader.read()  # until whoever asked has hung up
    writer.close()


async def _speak_early(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        if b"/attach" in head:
            break
        version = b'{"ApiVersion": "1.41"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(version))
        writer.write(version)
    writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\nearly")
    await writer.drain()
    writer.write(await reader.readexactly(4))
    writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To the real engine and back."""
    far_reader, far_writer = await asyncio.open_unix_connection(_ENGINE)

    async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while block := await source.read(65536):
            to.write(block)
        to.close()

    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


async def test_an_engine_that_hangs_is_given_up_while_the_loop_turns(
    tmp_path: Path,
) -> None:
    async with _engine_that(_say_nothing, tmp_path) as host, Docker(host) as docker:
        began = time.monotonic()
        asked = [docker.ask(lambda api: api.info(), seconds=0.5) for _ in range(50)]
        answers = asyncio.gather(*asked, return_exceptions=True)
        longest = 0.0
        while not answers.done():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

        assert {type(answer) for answer in answers.result()} == {EngineAway}
        assert time.monotonic() - began < 5
        assert longest < 0.5


async def test_a_manager_whose_engine_hangs_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _engine_that(_say_nothing, tmp_path) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        manager = ManagerProcess(tmp_path, "test-hung")
        await manager.start()
        opening = asyncio.create_task(SandboxClient(manager.url, TOKEN).open("s"))
        await asyncio.sleep(1)

        await asyncio.wait_for(manager.stop(), 5)

        assert isinstance(
            (await asyncio.gather(opening, return_exceptions=True))[0], Exception
        )


async def test_nothing_is_lost_of_a_guest_that_speaks_while_we_attach(
    tmp_path: Path,
) -> None:
    async with _engine_that(_speak_early, tmp_path) as host, Docker(host) as docker:
        reader, writer = await docker.attach("any")
        writer.write(b"late")

        assert await asyncio.wait_for(reader.read(-1), 5) == b"earlylate"
        writer.close()


def test_a_manager_that_nobody_asks_has_not_imported_docker_py() -> None:
    code = "import sandbox.manager, sys; sys.exit('docker' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def _runs_code(host: str, image: str) -> None:
    instance = f"test-far-{secrets.token_hex(3)}"
    async with Docker(host) as docker:
        container = await start(docker, PoolSettings(image=image, instance=instance))
        try:
            outcome = await container.execute("1", "'x' * 300_000", 10)
            assert outcome.status == "ok"
            assert len(outcome.logs) > 200_000
        finally:
            await container.remove()


@pytest.mark.docker
async def test_code_runs_on_an_engine_behind_tcp(image: str) -> None:
    server = await asyncio.start_server(_pass_on, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    await _runs_code(f"tcp://127.0.0.1:{port}", image)

    server.close()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder as DOCKER_CERT_PATH names it; both sides have the same certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=engine"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    subprocess.run(command.split(), check=True, capture_output=True)
    shutil.copy(cert, tmp_path / "ca.pem")
    return tmp_path


@pytest.mark.docker
async def test_code_runs_on_an_engine_behind_tls_that_asks_for_our_certificate(
    image: str, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = certificates / "ca.pem"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca))
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(_pass_on, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))

    await _runs_code(f"tcp://127.0.0.1:{port}", image)

    server.close()


@pytest.mark.docker
async def test_code_runs_on_an_engine_behind_the_ssh_command(
    image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(_SSH)
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    await _runs_code("ssh://me@far", image)
