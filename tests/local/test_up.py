"""Empty directory → one command → an answered run; and all of it gone again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from runtime.local import launch
from tests.local.watch import living, until

_ROOT = Path(__file__).resolve().parents[2]
_NAMES = {"postgres", "redis", "api", "worker-runs-1", "worker-ingest-1"}


class Up:
    """A real `assistants up` on a directory, at a port that is free."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_name("up.out")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ASSISTANTS_")}
        began = time.monotonic()
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                launch.command(
                    [sys.executable, "-m", "runtime", "up"], death_signal=signal.SIGTERM
                ),
                env={
                    **kept,
                    "ASSISTANTS_DATA_DIR": str(data_dir),
                    "ASSISTANTS_PORT": "0",
                    "ASSISTANTS_RUN_PROCESSES": "1",
                    "ASSISTANTS_INGEST_PROCESSES": "1",
                    "ASSISTANTS_SANDBOX": "off",
                    "OPENAI_API_KEY": "sk-of-the-upstream",
                },
                stdout=output,
                stderr=output,
                cwd=_ROOT,
                start_new_session=True,
            )
        until(self._is_over_or_ready, self.output.read_text, seconds=90)
        assert self.process.poll() is None, self.output.read_text()
        self.seconds = time.monotonic() - began

    def _is_over_or_ready(self) -> bool:
        return "is ready" in self.output.read_text() or self.process.poll() is not None

    def client(self) -> OpenAI:
        text = self.output.read_text()
        url, key = re.search(r"base URL +(\S+)\n +API key +(\S+)", text).groups()  # type: ignore[union-attr] # it was found: `up` is ready
        return OpenAI(base_url=url, api_key=key, max_retries=0)

    def supervisor_pid(self) -> int:
        return int((self.data_dir / "up.lock").read_text().split()[0])


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "data"
    yield directory
    for pid in living(directory):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(300)
def test_one_command_answers_a_run_and_a_second_start_finds_everything(
    data_dir: Path,
) -> None:
    up = Up(data_dir)
    assert {path.stem for path in (data_dir / "run").glob("*.pid")} == _NAMES
    told = {name for name in _NAMES if "OPENAI_API_KEY" in _environment(data_dir, name)}
    assert told == {"api", "worker-runs-1", "worker-ingest-1"}
    with up.client() as client:
        assistant = client.beta.assistants.create(model="builtin")
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": "Who are you?"}]},
            poll_interval_ms=50,
        )
        assert run.status == "completed", run.last_error

    began = time.monotonic()
    os.killpg(up.process.pid, signal.SIGINT)
    assert up.process.wait(15) == 0, up.output.read_text()
    assert time.monotonic() - began < 10
    assert living(data_dir) == set()
    assert list((data_dir / "run").glob("*.pid")) == []

    again = Up(data_dir)
    with again.client() as client:
        messages = client.beta.threads.messages.list(run.thread_id).data
        assert [message.role for message in messages] == ["assistant", "user"]

    os.kill(again.supervisor_pid(), signal.SIGKILL)
    assert again.process.wait(20) == 1
    assert living(data_dir) == set()


def _environment(data_dir: Path, name: str) -> str:
    pid = (data_dir / "run" / f"{name}.pid").read_text().strip()
    return Path("/proc", pid, "environ").read_text()
