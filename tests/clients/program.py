"""Programs written for other people's clients, run as their users run them.

A program knows the address and the key from `OPENAI_BASE_URL` and `OPENAI_API_KEY` and
prints what it saw, one JSON value a line.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.install import HERE, install

_SECONDS = 100
_SUFFIXES = {"node": ".mjs", "python": ".py"}
_NOT_INHERITED = ("ASSISTANTS_", "AZURE_", "OPENAI_", "PYTHONPATH", "PYTHONWARNINGS")


@dataclass(frozen=True)
class Client:
    """An installed client and the folder of its programs."""

    executable: Path
    directory: Path
    environment: Mapping[str, str]

    async def run(self, program: str, *arguments: str, **variables: str) -> list[Any]:
        """Run a program to its end; what it printed.

        Args:
            program: its file's name, without the suffix.
            variables: environment beside address and key.

        Raises:
            AssertionError: it failed, or took more than 100 seconds.
        """
        path = self.directory / f"{program}{_SUFFIXES[self.executable.name]}"
        process = await asyncio.create_subprocess_exec(
            self.executable,
            *(str(path), *arguments),
            env={**self.environment, **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, complained = await asyncio.wait_for(process.communicate(), _SECONDS)
        except TimeoutError:
            process.kill()
            said, complained = await process.communicate()
        assert process.returncode == 0, (said + complained).decode()
        return [json.loads(line) for line in said.decode().splitlines()]


def installed(name: str, executable: str, *, base_url: str, key: str) -> Client:
    """A client with a project's address and key; installs it where `make` did not."""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)
    }
    return Client(
        executable=install(name) / executable,
        directory=HERE / name,
        environment={**inherited, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": key},
    )
