"""The runtime's processes, started for tests as they are started for users.

Each test process has one stack: a scratch directory, an environment that points at its
own database and Redis, and the processes started into it. Add one with `start_process`:

    stack.start_process("worker-runs", [sys.executable, "-m", …])
    stack.wait_until("a worker is up", lambda: …)

What a process writes goes to `logs/<name>.log`; conftest shows the end of each log
beneath a failed test.
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx2

from runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_LOG_TAIL_BYTES = 8_000


class Stack:
    """A scratch directory and the processes that run in it."""

    def __init__(
        self,
        *,
        database_url: str,
        redis_url: str,
        upstream_url: str | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            database_url: an SQLAlchemy URL of a database with all tables.
            upstream_url: the model server; None: the built-in model serves.
            environment: settings beside these, by the names of their variables.
        """
        self._undo = ExitStack()
        scratch = tempfile.TemporaryDirectory(prefix="assistants-stack-")
        self.directory = Path(self._undo.enter_context(scratch))
        self._logs = self.directory / "logs"
        self._logs.mkdir()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.storage_url = f"file://{self.directory}/files"
        self.environment = {
            **_inherited(),
            "PYTHONPATH": str(ROOT),
            "ASSISTANTS_DATABASE_URL": database_url,
            "ASSISTANTS_REDIS_URL": redis_url,
            "ASSISTANTS_DATA_DIR": str(self.directory / "data"),
            "ASSISTANTS_STORAGE_URL": self.storage_url,
            "ASSISTANTS_LOG_LEVEL": "warning",
            "ASSISTANTS_LOG_FORMAT": "text",
            **({"OPENAI_BASE_URL": upstream_url} if upstream_url else {}),
            "OPENAI_API_KEY": "sk-upstream",
            **(environment or {}),
        }

    def start_process(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        keep_open: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a process; it ends with the stack.

        Args:
            name: what its log is called, and how one speaks of it.
            environment: variables beside the stack's own.
            keep_open: file descriptors that it inherits.
        """
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                # Not the checkout: a developer's .env must not reach a test.
                cwd=self.directory,
                env={**self.environment, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=keep_open,
                start_new_session=True,
            )
        self._processes[name] = process
        self._undo.callback(_end, process)
        return process

    def start_api(self, name: str = "api") -> str:
        """Start an API process; its address, once it answers."""
        with socket.socket() as listener:
            # Bound here, so that the port is known and nobody takes it meanwhile.
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            self.start_process(
                name,
                # As `up` serves it. Uvicorn's own `--fd` takes the socket for a unix one,
                # and leaves Nagle's algorithm on: 44 ms a reply.
                [
                    *(sys.executable, "-m", "runtime", "api"),
                    *("--fd", str(listener.fileno())),
                ],
                keep_open=[listener.fileno()],
            )
        url = f"http://127.0.0.1:{port}"
        self.wait_until(f"{name} answers", lambda: _answers(f"{url}/healthz"))
        return url

    def start_worker(
        self, queue: str, name: str | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a real Celery worker of `queue`: `runs` or `ingest`; it ends with the
        stack, or is killed by the test that asked for it. Returns once it is ready."""
        name = name or f"worker-{queue}"
        ready = self._logs / f"{name}.log"
        before = ready.stat().st_size if ready.exists() else 0
        process = self.start_process(
            name,
            [sys.executable, "-m", "runtime", "worker", queue],
            # "ready" is said at this level only.
            environment={"ASSISTANTS_LOG_LEVEL": "info"},
        )
        self.wait_until(
            f"{name} is ready",
            lambda: b" ready." in ready.read_bytes()[before:],
        )
        return process

    def start_sandbox(self, instance: str) -> subprocess.Popen[bytes]:
        """Start the sandbox manager that the workers ask; needs Docker and the image."""
        settings = self._settings()
        settings.sockets_dir.mkdir(parents=True, exist_ok=True)
        address = settings.effective_sandbox_url
        process = self.start_process(
            "sandbox",
            [
                *(sys.executable, "-m", "sandbox.manager", "--listen", address),
                *("--token-file", str(settings.sandbox_token_file)),
                *("--instance", instance, "--warm", "1"),
            ],
        )
        path = Path(address.removeprefix("unix://"))
        self.wait_until("the sandbox manager listens", path.exists)
        return process

    def sandbox_address(self) -> tuple[str, str]:
        """Where the sandbox manager listens, and the secret it wants to see."""
        settings = self._settings()
        return settings.effective_sandbox_url, settings.sandbox_token_file.read_text()

    def write_sandbox_token(self) -> None:
        """Make the secret that workers show to the sandbox manager."""
        path = self._settings().sandbox_token_file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(16))

    def _settings(self) -> Settings:
        return Settings(data_dir=self.directory / "data")

    def kill(self, name: str) -> None:
        """Kill a process of the stack, as the kernel would: no warning, no alarm."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """A test has ended this process itself: no alarm when it is found dead."""
        self._processes = {n: p for n, p in self._processes.items() if p is not process}

    def wait_until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait for something, for at most 30 seconds.

        Raises:
            RuntimeError: it did not come, or a process of the stack has ended.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not is_so():
            ended = [n for n, p in self._processes.items() if p.poll() is not None]
            if ended or time.monotonic() > deadline:
                why = f"{ended[0]} has ended" if ended else "it takes too long"
                raise RuntimeError(f"Waiting until {what}: {why}.\n{self.logs()}")
            time.sleep(_POLL_SECONDS)

    def logs(self) -> str:
        """The end of what each process has written; empty when all are quiet."""
        text = ""
        for path in sorted(self._logs.glob("*.log")):
            tail = path.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
            if tail.strip():
                text += f"--- {path.stem} ---\n{tail}\n"
        return text

    def stop(self) -> None:
        """End all processes, the last one first, and remove the directory."""
        self._undo.close()


def _inherited() -> dict[str, str]:
    ours = ("ASSISTANTS_", "OPENAI_")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=1).is_success
    except httpx2.TransportError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
