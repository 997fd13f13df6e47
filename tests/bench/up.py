"""A real `assistants up` on a scratch directory: started, timed, measured, stopped."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from openai import AsyncOpenAI

from runtime.local import launch
from runtime.settings import Settings
from tests.bench.measure import Share, cpu_seconds, memory_of_tree, tree
from tests.support.stack import ROOT

_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_GLANCE_SECONDS = 0.005
_ADDRESS = re.compile(r"base URL +(\S+)/v1\n +API key +(\S+)")


class Up:
    """`assistants up` for as long as the block lasts.

    Attributes:
        seconds_to_ready: from its start until it said that it is ready.
        url: where the API answers, without `/v1`.
        key: of the project `default`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        upstream_url: str | None = None,
        sandbox: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            data_dir: may be one of an earlier `Up`.
            upstream_url: the model server; None: the built-in model serves.
            sandbox: with Docker, as a user has it.
            environment: settings beside these, by the names of their variables.
        """
        self._data_dir = data_dir
        self._output = data_dir.with_name(f"{data_dir.name}.out")
        self._environment = {
            **_inherited(),
            "PYTHONPATH": str(ROOT),
            "ASSISTANTS_DATA_DIR": str(data_dir),
            "ASSISTANTS_PORT": "0",
            "ASSISTANTS_SANDBOX": "docker" if sandbox else "off",
            "OPENAI_API_KEY": "sk-upstream",
            **({"OPENAI_BASE_URL": upstream_url} if upstream_url else {}),
            **(environment or {}),
        }
        self.settings = Settings(
            data_dir=data_dir, database_url=None, redis_url=None, storage_url=None
        )
        self.seconds_to_ready = 0.0
        self.url = ""
        self.key = ""

    def __enter__(self) -> Self:
        argv = [sys.executable, "-m", "runtime", "up"]
        began = time.monotonic()
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                launch.command(argv, death_signal=signal.SIGTERM),
                env=self._environment,
                # Not the checkout: a developer's .env must not reach a benchmark.
                cwd=self._data_dir.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(began)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> float:
        """Press Ctrl-C; the seconds until all processes were gone."""
        began = time.monotonic()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        try:
            # It ends last: whatever is orphaned becomes its child and is waited for.
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return time.monotonic() - began

    def client(self) -> AsyncOpenAI:
        """The official client with the key of the project `default`; does not retry."""
        return AsyncOpenAI(
            base_url=f"{self.url}/v1", api_key=self.key, max_retries=0, timeout=120
        )

    @property
    def database_url(self) -> str:
        """Its Postgres, as psycopg takes it."""
        url = self.settings.effective_database_url
        return url.replace("postgresql+psycopg", "postgresql", 1)

    @property
    def redis_url(self) -> str:
        """Its Redis."""
        return self.settings.effective_redis_url

    def cpu_seconds(self, name: str | None = None) -> float:
        """What one of its programs (with its children), or all, have computed so far."""
        root = self._process.pid if name is None else self._pid(name)
        return cpu_seconds(tree(root))

    def memory(self) -> list[Share]:
        """What each of its programs holds at this moment, largest first."""
        names = {self._process.pid: "foreground"}
        supervisor = int((self._data_dir / "up.lock").read_text().split()[0])
        names[supervisor] = "supervisor"
        for path in (self._data_dir / "run").glob("*.pid"):
            names[self._pid(path.stem)] = path.stem
        return memory_of_tree(self._process.pid, names)

    def _pid(self, name: str) -> int:
        path = self._data_dir / "run" / f"{name}.pid"
        return int(path.read_text().split()[0])

    def _wait_until_ready(self, began: float) -> None:
        while (found := _ADDRESS.search(self._output.read_text())) is None:
            late = time.monotonic() - began > _START_SECONDS
            if self._process.poll() is not None or late:
                raise RuntimeError(f"It did not start:\n{self._output.read_text()}")
            time.sleep(_GLANCE_SECONDS)
        self.seconds_to_ready = time.monotonic() - began
        self.url, self.key = found.groups()


def _inherited() -> dict[str, str]:
    ours = ("ASSISTANTS_", "OPENAI_")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}
