"""The command line as people and scripts meet it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from runtime.cli.app import app

_ROOT = Path(__file__).resolve().parents[2]


def _assistants(
    *arguments: str, data_dir: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ASSISTANTS_")}
    return subprocess.run(
        [sys.executable, "-m", "runtime", *arguments],
        env={**kept, "ASSISTANTS_DATA_DIR": str(data_dir), **environment},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _commands() -> Iterator[tuple[str, Any]]:
    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for word, below in command.commands.items():
                yield from walk(f"{name} {word}".strip(), below)
        else:
            yield name, command

    yield from walk("", get_command(app))


@pytest.mark.parametrize(("name", "command"), list(_commands()))
def test_every_command_explains_itself_with_an_example(name: str, command: Any) -> None:
    assert "Example: " in command.help
    assert f"assistants {name}" in command.help


def test_help_is_quick(tmp_path: Path) -> None:
    # Modules, not seconds: those depend on what else this machine does.
    heavy = "{'fastapi', 'celery', 'sqlalchemy', 'openai', 'pydantic', 'redis'}"
    program = f"import runtime.cli.app, sys; print({heavy} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "set()\n"


def test_wrong_use_is_status_two(tmp_path: Path) -> None:
    assert _assistants("keys", "create", data_dir=tmp_path).returncode == 2
    assert _assistants("worker", "nothing", data_dir=tmp_path).returncode == 2
    assert _assistants("migrate", "--downgrade", data_dir=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ASSISTANTS_PORT", "high", "ASSISTANTS_PORT"),
        ("ASSISTANTS_DATABASE_URL", "postgresql://127.0.0.1:1/x", "cannot be reached"),
        ("ASSISTANTS_DATABASE_URL", "garbage", "must begin with postgresql://"),
        ("ASSISTANTS_REDIS_URL", "redis://u:s3c#ret@h/0", "is no URL"),
        ("ASSISTANTS_HEARTBEAT_SECONDS", "15", "less than ASSISTANTS_LEASE_SECONDS"),
        ("ASSISTANTS_DATA_DIR", "/proc/nowhere", "Cannot write to the data directory"),
    ],
)
def test_what_cannot_work_is_one_sentence_and_status_one(
    tmp_path: Path, variable: str, value: str, words: str
) -> None:
    environment = {variable: value}
    data_dir = Path(environment.pop("ASSISTANTS_DATA_DIR", str(tmp_path)))

    done = _assistants("projects", "list", data_dir=data_dir, **environment)

    assert done.returncode == 1
    assert done.stderr.startswith("assistants: ") and words in done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") <= 2


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = _assistants("up", data_dir=tmp_path, ASSISTANTS_PORT=port)

    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in done.stderr
    assert not (tmp_path / "postgres").exists()


def test_a_redis_that_does_not_answer_stops_the_start(tmp_path: Path) -> None:
    began = time.monotonic()
    done = _assistants(
        "up",
        data_dir=tmp_path,
        ASSISTANTS_PORT="0",
        ASSISTANTS_REDIS_URL="redis://127.0.0.1:1/0",
    )

    assert done.returncode == 1
    assert "Redis at redis://127.0.0.1:1/0 cannot be used" in done.stderr
    assert time.monotonic() - began < 30


def test_keys_are_managed_without_anything_running(tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        done = _assistants(*arguments, "--json", data_dir=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    made = run("keys", "create", "--project", "shop", "--name", "first")
    assert made["key"].startswith("sk-")
    assert [project["name"] for project in run("projects", "list")] == ["shop"]

    rotated = run("keys", "rotate", made["id"])
    assert rotated["key"] != made["key"]
    run("keys", "revoke", rotated["id"])

    listed = run("keys", "list", "--project", "shop")
    assert [key["id"] for key in listed] == [made["id"], rotated["id"]]
    assert all(key["revoked_at"] and "key" not in key for key in listed)


def test_doctor_names_what_is_wrong_and_the_remedy(tmp_path: Path) -> None:
    done = _assistants(
        "doctor",
        "--json",
        data_dir=tmp_path,
        ASSISTANTS_DATABASE_URL="postgresql://127.0.0.1:1/x",
        ASSISTANTS_SANDBOX="off",
        OPENAI_BASE_URL="http://127.0.0.1:1/v1",
    )

    assert done.returncode == 1
    findings = {finding["part"]: finding for finding in json.loads(done.stdout)}
    failed = {part for part, f in findings.items() if f["state"] == "failed"}
    assert failed == {"database", "upstream"}
    assert "ASSISTANTS_DATABASE_URL" in findings["database"]["remedy"]
    assert "OPENAI_BASE_URL" in findings["upstream"]["remedy"]


@pytest.mark.parametrize("command", ["doctor", "projects list", "migrate", "up"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://u:s3cretpw@127.0.0.1/x",
        "postgresql://u:s3cretpw%zz@127.0.0.1/x",
        "postgresql://u:it@s3cretpw@127.0.0.1/x",
        "postgresql://u:s3cretpw#x@127.0.0.1/x",
    ],
)
def test_a_wrong_database_url_is_a_sentence_without_its_password(
    tmp_path: Path, command: str, url: str
) -> None:
    done = _assistants(*command.split(), data_dir=tmp_path, ASSISTANTS_DATABASE_URL=url)

    assert done.returncode == 1
    assert "ASSISTANTS_DATABASE_URL: it " in done.stderr
    said = done.stdout + done.stderr
    assert "s3cretpw" not in said and "Traceback" not in said


def test_doctor_is_content_with_a_fresh_machine(tmp_path: Path) -> None:
    done = _assistants("doctor", data_dir=tmp_path / "data", ASSISTANTS_SANDBOX="off")

    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "data").exists()


def test_the_default_key_is_checked_and_what_to_do_is_said(tmp_path: Path) -> None:
    def migrate(key: str) -> subprocess.CompletedProcess[str]:
        return _assistants("migrate", data_dir=tmp_path, ASSISTANTS_API_KEY=key)

    short = migrate("a")
    assert short.returncode == 1
    assert "at least 16 characters. Set ASSISTANTS_API_KEY" in short.stderr

    assert migrate("sk-the-first-of-two").returncode == 0
    assert migrate("sk-the-second-of-two").returncode == 0
    again = migrate("sk-the-first-of-two")
    assert again.returncode == 1
    assert "was revoked. Set ASSISTANTS_API_KEY to another" in again.stderr
    assert "Traceback" not in again.stderr


def test_rotating_the_key_of_the_first_start_replaces_it_on_disk(
    tmp_path: Path,
) -> None:
    file = tmp_path / "api_key"
    file.write_text("sk-made-at-the-first-start\n")
    prepared = _assistants(
        "migrate", data_dir=tmp_path, ASSISTANTS_API_KEY="sk-made-at-the-first-start"
    )
    assert prepared.returncode == 0, prepared.stderr
    listed = _assistants("keys", "list", "--json", data_dir=tmp_path)
    (key,) = json.loads(listed.stdout)

    rotated = _assistants("keys", "rotate", key["id"], "--json", data_dir=tmp_path)

    assert file.read_text().strip() == json.loads(rotated.stdout)["key"]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"ASSISTANTS_SANDBOX": "off"},
        {"ASSISTANTS_SANDBOX_URL": "tcp://127.0.0.1:1"},
    ],
)
def test_a_sandbox_that_is_not_wanted_is_not_built(
    tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    done = _assistants(
        *("sandbox", "build", "--install-engine", "--if-wanted"),
        data_dir=tmp_path,
        DOCKER_HOST="unix:///nowhere.sock",
        **elsewhere,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_key_of_this_machine_is_not_sent_elsewhere(tmp_path: Path) -> None:
    done = _assistants(
        *("chat", "--base-url", "http://127.0.0.1:1/v1", "Hello?"),
        data_dir=tmp_path,
        ASSISTANTS_API_KEY="sk-the-key-of-this-machine",
    )

    assert done.returncode == 1
    assert "give --key too" in done.stderr
