"""Apps that live in a browser: preflights, and what a page may read."""

import httpx2

ORIGIN = "https://app.example"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,openai-beta,x-stainless-lang",
}


async def test_a_page_may_ask_before_it_shows_its_key(api_url: str) -> None:
    async with httpx2.AsyncClient(base_url=api_url) as client:
        response = await client.options("/v1/threads", headers=PREFLIGHT)

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "x-stainless-lang" in response.headers["access-control-allow-headers"]


async def test_a_page_may_read_answers_refusals_and_their_headers(
    api: httpx2.AsyncClient,
) -> None:
    for response in (
        await api.get("/assistants", headers={"origin": ORIGIN}),
        await api.get("/assistants/asst_x", headers={"origin": ORIGIN}),
        await api.get(
            "/assistants", headers={"origin": ORIGIN, "authorization": "Bearer no"}
        ),
    ):
        assert response.headers["access-control-allow-origin"] == "*"
        assert "x-request-id" in response.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in response.headers


async def test_azures_addresses_are_open_to_pages_too(api_url: str) -> None:
    async with httpx2.AsyncClient(base_url=api_url) as client:
        response = await client.options("/openai/threads", headers=PREFLIGHT)

    assert response.headers["access-control-allow-origin"] == "*"


async def test_what_is_for_operators_is_not_opened_to_pages(api_url: str) -> None:
    async with httpx2.AsyncClient(base_url=api_url) as client:
        response = await client.get("/metrics", headers={"origin": ORIGIN})

    assert "access-control-allow-origin" not in response.headers
