"""Processes that a benchmark needs beside the runtime's own."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

from runtime.local import launch
from tests.support.stack import ROOT
from tests.support.turns import Turn, turn_to_json

_START_SECONDS = 30.0
_GLANCE_SECONDS = 0.02


@contextmanager
def running(
    module: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    keep_open: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m MODULE ARGUMENT…` for as long as the block lasts."""
    process = subprocess.Popen(
        launch.command(
            [sys.executable, "-m", module, *arguments], death_signal=SIGTERM
        ),
        cwd=ROOT,
        # Celery warns of root, in six lines.
        env={**os.environ, "PYTHONWARNINGS": "ignore", **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=keep_open,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_START_SECONDS)


@dataclass(frozen=True, slots=True)
class ModelServer:
    """The stand-in upstream in a process of its own, so that it takes no time of ours."""

    address: str

    @property
    def base_url(self) -> str:
        """What to set OPENAI_BASE_URL to."""
        return f"{self.address}/v1"

    def script(self, turn: Turn) -> str:
        """The name of a model that plays this turn for ever."""
        wanted = {"turns": [turn_to_json(turn)], "repeat": True}
        name: str = self._ask("/__script__", wanted)["model"]
        return name

    def asked(self, model: str) -> dict[str, Any]:
        """What was asked of a model: `requests`, `most_open`, `hung_up`."""
        found: dict[str, Any] = self._ask(f"/__requests__/{model}")
        return found

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.address}{path}", data, timeout=30) as reply:
            return json.load(reply)


@contextmanager
def model_server(
    scratch: Path, module: str = "tests.support.upstream"
) -> Iterator[ModelServer]:
    """A model server as a process; `module` takes `--port-file`."""
    port_file = scratch / "model-server.port"
    port_file.unlink(missing_ok=True)
    with running(module, "--port-file", str(port_file)) as process:
        deadline = time.monotonic() + _START_SECONDS
        while not (port_file.exists() and port_file.read_text()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{module} did not start")
            time.sleep(_GLANCE_SECONDS)
        yield ModelServer(f"http://127.0.0.1:{port_file.read_text()}")
