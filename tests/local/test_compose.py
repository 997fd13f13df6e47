"""docker-compose.yml is kept valid: its commands and variables exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from runtime.cli.app import app
from runtime.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_COMPOSE: dict[str, Any] = yaml.safe_load((_ROOT / "docker-compose.yml").read_text())
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_OURS = [name for name, s in _SERVICES.items() if s["image"] == "assistants-runtime"]


def test_a_server_has_all_parts() -> None:
    assert set(_SERVICES) == {
        "postgres",
        "redis",
        "migrate",
        "api",
        "worker-runs",
        "worker-ingest",
        "sandbox",
    }


@pytest.mark.parametrize("name", _OURS)
def test_each_command_exists(name: str) -> None:
    for words in _commands(_SERVICES[name]["command"]):
        command: Any = get_command(app)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        # Parsing alone: an unknown option or a missing argument raises.
        options = {opt for param in command.params for opt in param.opts}
        given = {word for word in words if word.startswith("--")}
        assert given <= options


@pytest.mark.parametrize("name", _OURS)
def test_each_variable_is_a_setting(name: str) -> None:
    known = {f"ASSISTANTS_{field.upper()}" for field in Settings.model_fields}
    known |= {"OPENAI_BASE_URL", "OPENAI_API_KEY"}
    known |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    known |= {"AWS_REGION", "AWS_ENDPOINT_URL"}

    assert set(_SERVICES[name]["environment"]) <= known


def test_the_whole_environment_of_a_service_makes_valid_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in _OURS:
        for variable, value in _SERVICES[name]["environment"].items():
            # Without a value it is handed on, and only if it is set.
            if value is not None:
                monkeypatch.setenv(variable, _default(str(value)))
        settings = Settings()
        assert settings.openai_base_url is None
        assert settings.effective_database_url.startswith("postgresql+psycopg://")


def test_those_that_serve_get_every_setting_and_the_sandbox_no_keys() -> None:
    handed = {name for name, service in _SERVICES.items() if "env_file" in service}

    assert handed == {"api", "worker-runs", "worker-ingest"}
    for name in handed:
        assert _SERVICES[name]["env_file"] == [{"path": ".env", "required": False}]
        assert "AWS_SECRET_ACCESS_KEY" in _SERVICES[name]["environment"]
    assert set(_SERVICES["sandbox"]["environment"]) == {"ASSISTANTS_SANDBOX_RUNTIME"}


def test_only_the_sandbox_reaches_the_docker_socket() -> None:
    holders = [
        name
        for name, service in _SERVICES.items()
        if any("docker.sock" in volume for volume in service.get("volumes", []))
    ]
    assert holders == ["sandbox"]


def test_secrets_have_no_default() -> None:
    text = (_ROOT / "docker-compose.yml").read_text()
    for secret in (
        "POSTGRES_PASSWORD",
        "ASSISTANTS_API_KEY",
        "ASSISTANTS_SANDBOX_TOKEN",
    ):
        uses = re.findall(rf"\$\{{{secret}(.)", text)
        assert uses and set(uses) == {":"}
        assert f"{secret}:-" not in text


def test_networks_volumes_and_dependencies_are_declared() -> None:
    for service in _SERVICES.values():
        assert set(service["networks"]) <= set(_COMPOSE["networks"])
        assert set(service.get("depends_on", {})) <= set(_SERVICES)
        assert set(service.get("secrets", [])) <= set(_COMPOSE["secrets"])
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("/") or source in _COMPOSE["volumes"]


def test_what_is_copied_into_the_image_exists() -> None:
    recipe = _COMPOSE["x-runtime"]["build"]["dockerfile_inline"]
    for source in re.findall(r"^COPY (\S+)", recipe, re.MULTILINE):
        assert (_ROOT / source).exists()


def _commands(command: list[str]) -> list[list[str]]:
    """The arguments of each call of `assistants`, plain or in a line of shell."""
    if len(command) == 1 and "python" in command[0]:
        calls = command[0].replace("exec ", "").split("&&")
        return [shlex.split(call)[3:] for call in calls]
    return [list(command)]


def _default(value: str) -> str:
    """What compose would put in: the default, or a stand-in for what must be given."""
    value = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", value)
    return re.sub(r"\$\{[A-Z_]+:\?[^}]*\}", "given", value)
