"""The page at `/`: served whole, closed to the outside, and a client of our own API only.

What it looks like and does in a browser is no matter of these tests: they need none.
"""

import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

import runtime.api.playground
from tests.support.stack import ROOT

_FOLDER = Path(runtime.api.playground.__file__).parent
_ASSETS = sorted(
    path
    for path in _FOLDER.iterdir()
    if path.suffix in {".html", ".css", ".js", ".svg"}
)
_SCRIPTS = [path for path in _ASSETS if path.suffix == ".js"]
_METHODS = {
    "get": "get",
    "post": "post",
    "remove": "delete",
    "download": "get",
    "upload": "post",
    "stream": "get",
}
_CALL = re.compile(rf'\b({"|".join(_METHODS)})\(\s*"(/[^"]*)"')
_PATH = re.compile(r'"(/\w[^"\s]*)"')
# A namespace is a name that nobody fetches.
_NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.fixture
async def web(api_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser's requests: no key."""
    async with httpx2.AsyncClient(base_url=api_url, timeout=30) as client:
        yield client


async def test_the_page_is_at_the_root_and_needs_no_key(
    web: httpx2.AsyncClient,
) -> None:
    response = await web.get("/")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text == (_FOLDER / "index.html").read_text()


async def test_everything_the_page_names_is_served(web: httpx2.AsyncClient) -> None:
    page = (await web.get("/")).text
    named = re.findall(r'(?:src|href)="(playground/[^"]+)"', page)
    types = {
        path: (await web.get(f"/{path}")).headers["content-type"] for path in named
    }

    assert types == {
        "playground/icon.svg": "image/svg+xml",
        "playground/playground.css": "text/css; charset=utf-8",
        "playground/playground.js": "text/javascript; charset=utf-8",
    }


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.name)
async def test_every_module_is_served_and_imports_only_its_neighbours(
    script: Path, web: httpx2.AsyncClient
) -> None:
    response = await web.get(f"/playground/{script.name}")
    imported = re.findall(r'from "([^"]+)"', response.text)

    assert response.status_code == 200
    assert {_FOLDER / name for name in imported} <= set(_SCRIPTS)


@pytest.mark.parametrize("path", ["/", "/playground/api.js", "/playground/icon.svg"])
async def test_a_browser_is_told_to_load_nothing_from_elsewhere(
    path: str, web: httpx2.AsyncClient
) -> None:
    headers = (await web.get(path)).headers
    policy = dict(
        rule.strip().split(" ", 1)
        for rule in headers["content-security-policy"].split(";")
    )

    assert policy["default-src"] == "'none'"
    assert (
        policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    )
    assert policy["img-src"] == "'self' blob:"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_a_browser_asks_each_time_and_is_told_when_nothing_has_changed(
    web: httpx2.AsyncClient,
) -> None:
    first = await web.get("/playground/playground.js")
    second = await web.get(
        "/playground/playground.js", headers={"if-none-match": first.headers["etag"]}
    )

    assert first.headers["cache-control"] == "no-cache"
    assert second.status_code == 304
    assert second.content == b""


@pytest.mark.parametrize(
    "path", ["__init__.py", "__pycache__", "", "nothing.js", "..%2fapp.py", "%00.js"]
)
async def test_nothing_else_of_the_folder_is_served(
    path: str, web: httpx2.AsyncClient
) -> None:
    response = await web.get(f"/playground/{path}")

    assert response.status_code == 404
    assert response.json()["error"]["message"].startswith("Unknown request URL")


async def test_the_page_takes_nothing_from_the_addresses_beside_it(
    web: httpx2.AsyncClient,
) -> None:
    described = (await web.get("/openapi.json")).json()["paths"]

    assert "/" not in described
    assert (await web.get("/docs")).status_code == 200
    assert (await web.get("/healthz")).json() == {"status": "ok"}
    assert (await web.post("/")).status_code == 405


async def test_every_endpoint_that_the_scripts_call_is_in_the_api(
    web: httpx2.AsyncClient,
) -> None:
    described = (await web.get("/openapi.json")).json()["paths"]
    texts = [script.read_text() for script in _SCRIPTS]
    calls = {call for text in texts for call in _CALL.findall(text)}
    missing = [
        (name, path)
        for name, path in sorted(calls)
        if _METHODS[name] not in described.get(f"/v1{path}", {})
    ]

    assert len(calls) > 15
    assert missing == []
    # And none is called in a way that the pattern above would not see.
    assert {p for text in texts for p in _PATH.findall(text)} == {p for _, p in calls}


def test_only_one_module_speaks_http() -> None:
    speaking = {
        script.name
        for script in _SCRIPTS
        if re.search(
            r"\bfetch\(|XMLHttpRequest|EventSource|WebSocket|sendBeacon",
            script.read_text(),
        )
    }

    assert speaking == {"api.js"}


@pytest.mark.parametrize("asset", _ASSETS, ids=lambda path: path.name)
def test_no_address_outside_is_named(asset: Path) -> None:
    text = asset.read_text().replace(_NAMESPACE, "")

    # `https?://` as a pattern for links in answers is no address.
    assert re.findall(r"""(?:https?:)?//[\w.-]+\.\w|url\(|@import""", text) == []


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.name)
def test_no_script_reads_html_or_makes_code_of_text(script: Path) -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc"
        r"|createContextualFragment|setHTMLUnsafe|\beval\b|new Function|localStorage"
    )

    assert re.findall(forbidden, script.read_text()) == []


def test_every_field_of_the_page_has_a_label() -> None:
    page = (_FOLDER / "index.html").read_text()
    fields = set(re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)"', page))
    fields |= set(re.findall(r'<(?:input|select|textarea) id="([^"]+)"', page))
    labelled = set(re.findall(r'<label for="([^"]+)"', page))
    wrapped = re.findall(
        r'<label class="(?:check|drop)"><input[^>]* id="([^"]+)"', page
    )

    assert fields - labelled - set(wrapped) == set()
    assert len(fields) > 10


def test_an_installed_package_holds_the_files() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "setuptools"
    ]

    # The folder is a package, so that "every file of every package" takes it in.
    assert (_FOLDER / "__init__.py").exists()
    assert settings["package-data"] == {"*": ["*"]}
