"""The page at `/docs`: whole without the internet, and shut off from it."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest


@pytest.fixture
async def web(api_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser's requests: no key."""
    async with httpx2.AsyncClient(base_url=api_url, timeout=30) as client:
        yield client


async def test_everything_the_page_names_is_served_from_here(
    web: httpx2.AsyncClient,
) -> None:
    page = await web.get("/docs")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    answers = {path: await web.get(f"/{path}") for path in named}

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "docs/swagger-ui/swagger-ui-bundle.js" in named
    assert {answer.status_code for answer in answers.values()} == {200}


async def test_the_page_shows_our_own_description(web: httpx2.AsyncClient) -> None:
    script = (await web.get("/docs/docs.js")).text

    assert 'url: "openapi.json"' in script
    assert "SwaggerUIBundle(" in script


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js"])
async def test_a_browser_is_told_to_load_nothing_from_elsewhere(
    path: str, web: httpx2.AsyncClient
) -> None:
    policy = (await web.get(path)).headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "http" not in policy


@pytest.mark.parametrize(
    "path",
    ["/redoc", "/docs/", "/docs/__init__.py", "/docs/swagger-ui/__init__.py"],
)
async def test_nothing_else_is_served(path: str, web: httpx2.AsyncClient) -> None:
    response = await web.get(path)

    assert response.status_code == 404
    assert response.json()["error"]["message"].startswith("Unknown request URL")
