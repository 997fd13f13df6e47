"""The README tells the truth: each setting, command, route and make target exists, and
every one that exists is told of. Its example runs."""

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import Mount
from pydantic.fields import FieldInfo
from starlette.routing import BaseRoute, Route
from typer.main import get_command

from runtime.api.app import create_app
from runtime.cli.app import app
from runtime.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_README = (_ROOT / "README.md").read_text()
_DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "tests/README.md",
    "runtime/DECISIONS.md",
    "runtime/api/ADDITIONS.md",
    "runtime/api/COMPATIBILITY.md",
)

_BY_CORES = {"ASSISTANTS_RUN_PROCESSES", "ASSISTANTS_INGEST_PROCESSES"}


def test_every_setting_is_listed_with_its_default_and_none_is_invented() -> None:
    listed = re.findall(
        r"^\| `([A-Z_]+)` \| ([^|]+) \| [^|]+ \|$", _README, re.MULTILINE
    )

    assert dict(listed) == {
        _variable(name, field): _default(_variable(name, field), field)
        for name, field in Settings.model_fields.items()
    }
    assert len(listed) == len(dict(listed))


def test_every_command_is_listed_and_none_is_invented() -> None:
    listed = re.findall(r"^\| `assistants ([a-z ]+)` \|", _README, re.MULTILINE)

    assert sorted(listed) == sorted(name for name, _ in _commands())


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_commands_and_options_in_prose_exist(document: str) -> None:
    known = dict(_commands())
    said = re.findall(
        r"(?:`|^|bin/)assistants ([a-z][^`\n]*)", _read(document), re.MULTILINE
    )

    for words in said:
        names = [name for name in known if f"{words} ".startswith(f"{name} ")]
        assert names or words in {name.split()[0] for name in known}, words
        options = {opt for name in names for p in known[name].params for opt in p.opts}
        assert set(re.findall(r"--[a-z-]+", words)) <= options, words


def test_every_route_is_listed_and_none_is_invented() -> None:
    listed = [
        (method, _shape(path))
        for methods, path in re.findall(r"`((?:(?:GET|POST|DELETE) )+)(/\S*)`", _README)
        for method in methods.split()
    ]

    served = create_app(Settings(_env_file=None))
    api = {
        (method.upper(), _shape(path))
        for path, methods in served.openapi()["paths"].items()
        for method in methods
    }
    pages = {("GET", path) for path in _pages(served.routes)}
    assert api <= set(listed)
    assert set(listed) <= api | pages


def test_every_address_beyond_openais_is_on_the_page_of_additions() -> None:
    page = _read("runtime/api/ADDITIONS.md")
    row = next(line for line in _README.splitlines() if "beyond OpenAI's API" in line)
    told = set(re.findall(r"(GET|POST) (/v1/[\w/{}]+)", page))

    assert set(re.findall(r"(GET|POST) (/v1/[\w/{}]+)", row)) <= told
    served = create_app(Settings(_env_file=None)).openapi()["paths"]
    assert {
        (verb, path) for verb, path in told if verb.lower() not in served.get(path, {})
    } == set()


def test_every_make_target_is_told_of_and_none_is_invented() -> None:
    makefile = (_ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))

    assert set(re.findall(r"(?:`|^)make ([a-z]+)", _README, re.MULTILINE)) == targets


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_what_a_document_points_at_is_there(document: str) -> None:
    text = _read(document)
    here = (_ROOT / document).parent
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    paths = re.findall(r"`((?:runtime|sandbox|tests|migrations|\.ci)/[\w./-]+)`", text)

    missing = [link for link in links if not (here / link).exists()]
    missing += [path for path in paths if not (_ROOT / path).exists()]
    assert missing == []


async def test_the_example_runs_and_prints_an_answer(
    api_url: str, key: str, runs_worker: None, tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", _README, re.DOTALL)
    assert len([line for line in code.splitlines()[1:] if line]) == 5
    code = code.replace("http://127.0.0.1:8000", api_url).replace("sk-…", key)

    example = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", code),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(example.communicate(), 60)

    assert example.returncode == 0, said.decode()
    assert said.decode().startswith("I am the built-in model of this runtime")


def _read(document: str) -> str:
    return (_ROOT / document).read_text()


def _variable(name: str, field: FieldInfo) -> str:
    alias: Any = field.validation_alias
    return alias.choices[0] if alias else f"ASSISTANTS_{name.upper()}"


def _default(variable: str, field: FieldInfo) -> str:
    if variable in _BY_CORES:
        return "half the cores"
    if field.default_factory is not None:
        return "a third of the lease"
    match field.default:
        case None:
            return "unset"
        case "":
            return "empty"
        case Path() as path:
            return f"./{path}"
        case value:
            return str(value)


def _commands() -> Iterator[tuple[str, Any]]:
    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for word, below in command.commands.items():
                yield from walk(f"{name} {word}".strip(), below)
        else:
            yield name, command

    yield from walk("", get_command(app))


def _pages(routes: list[BaseRoute]) -> Iterator[str]:
    """Addresses that the schema leaves out: the documentation, the playground."""
    for route in routes:
        if isinstance(route, Route | Mount):
            yield route.path or "/"


def _shape(path: str) -> str:
    """A path without the names of its parameters."""
    return re.sub(r"{[^}]*}", "{}", path)
