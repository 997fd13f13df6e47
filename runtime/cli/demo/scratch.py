"""Everything that `assistants up` starts, on a directory that is gone afterwards."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.cli.output import CommandFailed
from runtime.local.import_path import import_path
from runtime.local.launch import command
from runtime.settings import Settings

# The first start sets up a database, and on a busy machine all of it takes its time.
_START_SECONDS = 180.0
# `up` promises to be gone within ten seconds.
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_BASE_URL = re.compile(r"^ +base URL +(\S+)$", re.MULTILINE)

# A demonstration touches no data but its own, whatever is configured here.
_OWN = frozenset(
    [
        "data_dir",
        "database_url",
        "redis_url",
        "storage_url",
        "host",
        "port",
        "api_key",
        "sandbox_url",
        "sandbox_token",
    ]
)


@dataclass(frozen=True, slots=True)
class Server:
    """A runtime that answers: where, with which key, and how long its start took.

    `logs` is what its processes write, and gone with the rest.
    """

    base_url: str
    api_key: str
    seconds: float
    logs: Path


@contextmanager
def running(settings: Settings) -> Iterator[Server]:
    """Start a runtime for the block; afterwards stop it and remove what it has stored.

    Which models serve and how the sandbox runs is as `settings` say; database, Redis,
    files, key and port are its own.

    Raises:
        CommandFailed: it did not start, with the words of `assistants up`.
    """
    directory = Path(tempfile.mkdtemp(prefix="assistants-demo-"))
    log = directory / "up.log"
    api_key = f"sk-demo-{secrets.token_urlsafe(24)}"
    began = time.monotonic()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                # In a session of its own: Ctrl-C is ours, and we stop it in order.
                command(
                    [sys.executable, "-P", "-m", "runtime", "up"],
                    death_signal=signal.SIGTERM,
                ),
                cwd=directory,
                env=_environment(settings, directory, api_key),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            base_url = _wait_until_ready(process, log)
            seconds = time.monotonic() - began
            yield Server(base_url, api_key, seconds, directory / "data" / "logs")
        finally:
            _stop(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _environment(settings: Settings, directory: Path, api_key: str) -> dict[str, str]:
    ours = ("ASSISTANTS_", "OPENAI_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    # The child's directory holds no .env, so what ours says is handed on by name.
    told = {
        _variable(field): str(getattr(settings, field))
        for field in settings.model_fields_set - _OWN
        if getattr(settings, field) is not None
    }
    return {
        **inherited,
        **import_path(),
        **told,
        "ASSISTANTS_DATA_DIR": str(directory / "data"),
        "ASSISTANTS_API_KEY": api_key,
        "ASSISTANTS_PORT": "0",
    }


def _variable(field: str) -> str:
    name = field.upper()
    return name if name.startswith("OPENAI_") else f"ASSISTANTS_{name}"


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        ended = process.poll() is not None
        words = log.read_text(errors="replace")
        found = _BASE_URL.search(words)
        if found and not ended:
            return found[1]
        if ended:
            raise CommandFailed(f"The runtime did not start:\n{words.strip()}")
        if time.monotonic() > deadline:
            raise CommandFailed(
                f"The runtime is not ready after {_START_SECONDS:.0f} s:\n{words.strip()}"
            )
        time.sleep(_POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    # The first signal stops in order, the second at once.
    for ask in (process.terminate, process.terminate, process.kill):
        ask()
        try:
            process.wait(_STOP_SECONDS)
            return
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            continue  # a second Ctrl-C: sooner
    process.wait()
