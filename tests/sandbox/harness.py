"""What the tests of the sandbox hold in their hands: a manager process, a session."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox import Outcome, SandboxClient, Session

TOKEN = "token-of-the-tests"


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Wait for something that announces itself to nobody."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await holds():
        assert asyncio.get_running_loop().time() < deadline, "it never came true"
        await asyncio.sleep(0.05)


@dataclass
class ManagerProcess:
    """A manager that can be stopped, killed and started again at the same address."""

    folder: Path
    instance: str
    options: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/m.sock"

    async def start(self) -> None:
        token_file = self.folder / "token"
        token_file.write_text(TOKEN)
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sandbox.manager", "--listen", self.url),
            *("--token-file", str(token_file), "--instance", self.instance),
            *self.options,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(self._answers)

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.folder / "m.sock")
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def stop(self, number: int = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        await self.process.wait()


@dataclass
class Cells:
    """Runs code in the test's own session."""

    client: SandboxClient
    session_id: str
    session: Session
    count: int = 0

    async def run(self, code: str, timeout_seconds: float = 20.0) -> Outcome:
        self.count += 1
        return await self.client.execute(
            self.session_id,
            f"call-{self.count}",
            code,
            epoch=self.session.epoch,
            timeout_seconds=timeout_seconds,
        )

    async def put(self, name: str, data: bytes) -> None:
        await self.client.put(self.session_id, self.session.epoch, name, data)

    async def read(self, name: str) -> bytes:
        blocks = self.client.read(self.session_id, self.session.epoch, name)
        return b"".join([block async for block in blocks])
