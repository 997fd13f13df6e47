"""Apps written against Azure's copy: its addresses, its headers, the SDK's own client."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from openai import AsyncAzureOpenAI, AuthenticationError, AzureOpenAI, NotFoundError

from tests.api.keys import REPLAYED, new_key
from tests.engine.talk import call
from tests.support.envelope import check_error
from tests.support.make import Make
from tests.support.turns import embeds, says
from tests.support.upstream import Upstream

VERSION = "2024-05-01-preview"
Connect = Callable[..., AsyncAzureOpenAI]


@pytest.fixture
def settings_of_azure(api_url: str, key: str) -> dict[str, Any]:
    return {
        "azure_endpoint": api_url,
        "api_key": key,
        "api_version": VERSION,
        "max_retries": 0,
    }


@pytest.fixture
async def azure(settings_of_azure: dict[str, Any]) -> AsyncIterator[AsyncAzureOpenAI]:
    """The official client of Azure, as its documentation sets it up."""
    async with AsyncAzureOpenAI(**settings_of_azure) as client:
        yield client


@pytest.fixture
async def root(api_url: str, key: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Raw requests from the root, with the key in Azure's header."""
    async with httpx2.AsyncClient(
        base_url=api_url, headers={"api-key": key}, timeout=30
    ) as client:
        yield client


async def test_a_conversation_goes_as_it_went_at_azure(
    azure: AsyncAzureOpenAI, upstream: Upstream, runs_worker: None
) -> None:
    model = upstream.script(says("Two."), says("Three."))
    assistant = await azure.beta.assistants.create(model=model, name="Counter")
    thread = await azure.beta.threads.create()
    await azure.beta.threads.messages.create(thread.id, role="user", content="One?")

    run = await azure.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id
    )
    async with azure.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id
    ) as stream:
        streamed = "".join([text async for text in stream.text_deltas])

    assert run.status == "completed"
    assert streamed == "Three."
    messages = await azure.beta.threads.messages.list(thread.id, order="asc")
    assert [m.role for m in messages.data] == ["user", "assistant", "assistant"]
    listed = await azure.beta.assistants.list(limit=1)
    assert [a.id for a in listed.data] == [assistant.id]
    assert (await azure.beta.threads.delete(thread.id)).deleted


async def test_files_stores_and_uploads_go_as_they_went_at_azure(
    azure: AsyncAzureOpenAI,
    ingest_worker: None,
) -> None:
    file = await azure.files.create(
        file=("moon.txt", b"The moon goes around the earth."), purpose="assistants"
    )
    store = await azure.vector_stores.create(name="Notes")
    batch = await azure.vector_stores.file_batches.create_and_poll(
        store.id, file_ids=[file.id]
    )
    upload = await azure.uploads.create(
        filename="a.txt", purpose="assistants", bytes=6, mime_type="text/plain"
    )
    parts = [
        await azure.uploads.parts.create(upload.id, data=data)
        for data in (b"abc", b"def")
    ]
    done = await azure.uploads.complete(upload.id, part_ids=[part.id for part in parts])

    assert batch.file_counts.completed == 1
    found = await azure.vector_stores.search(store.id, query="moon")
    assert found.data[0].file_id == file.id
    assert (await azure.files.content(file.id)).content.startswith(b"The moon")
    assert done.file is not None
    assert (await azure.files.content(done.file.id)).content == b"abcdef"


async def test_the_deployment_is_the_model(
    azure: AsyncAzureOpenAI,
    settings_of_azure: dict[str, Any],
    root: httpx2.AsyncClient,
    upstream: Upstream,
) -> None:
    model, other = upstream.script(says("Yes."), repeat=True), "another"
    messages: Any = [{"role": "user", "content": "Hi."}]

    await azure.chat.completions.create(model=model, messages=messages)
    async with AsyncAzureOpenAI(**settings_of_azure, azure_deployment=model) as bound:
        await bound.chat.completions.create(model=other, messages=messages)
        # All but models is addressed without the deployment.
        await bound.beta.threads.create()
    path = f"/openai/deployments/{model}/chat/completions"
    await call(root, "POST", path, json={"messages": messages})

    assert [asked["model"] for asked in upstream.requests(model)] == [model] * 3


@pytest.mark.parametrize("name", ["org/model-7B", "modèle", "a chat/completions b"])
async def test_a_deployment_may_be_called_what_it_likes(
    azure: AsyncAzureOpenAI, name: str
) -> None:
    # No upstream has it, and its refusal names it.
    with pytest.raises(NotFoundError) as refused:
        await azure.chat.completions.create(
            model=name, messages=[{"role": "user", "content": "Hi."}]
        )

    assert name in str(refused.value)


async def test_vectors_and_streams_of_a_deployment(
    azure: AsyncAzureOpenAI, upstream: Upstream
) -> None:
    vectors = await azure.embeddings.create(model=upstream.script(embeds()), input="a")
    chunks = await azure.chat.completions.create(
        model=upstream.script(says("One two.")),
        messages=[{"role": "user", "content": "Hi."}],
        stream=True,
    )

    assert len(vectors.data[0].embedding) == 8
    text = [c.choices[0].delta.content or "" async for c in chunks if c.choices]
    assert "".join(text) == "One two."


def test_the_client_that_waits_works_too(settings_of_azure: dict[str, Any]) -> None:
    with AzureOpenAI(**settings_of_azure) as client:
        thread = client.beta.threads.create(metadata={"a": "b"})
        assert client.beta.threads.retrieve(thread.id).metadata == {"a": "b"}


@pytest.mark.parametrize("base", ["/openai", "/openai/v1", "/openai/v1/", "/v1"])
async def test_each_base_that_azure_had_is_answered(
    api_url: str, key: str, base: str, upstream: Upstream
) -> None:
    async with AsyncAzureOpenAI(
        base_url=f"{api_url}{base}", api_key=key, api_version="preview", max_retries=0
    ) as client:
        thread = await client.beta.threads.create()
        answer = await client.chat.completions.create(
            model=upstream.script(says("Yes.")),
            messages=[{"role": "user", "content": "Hi."}],
        )

    assert thread.id.startswith("thread_")
    assert answer.choices[0].message.content == "Yes."


async def test_a_token_of_entra_is_our_key(
    settings_of_azure: dict[str, Any], key: str
) -> None:
    async def token() -> str:
        return key

    del settings_of_azure["api_key"]
    async with AsyncAzureOpenAI(
        **settings_of_azure, azure_ad_token_provider=token
    ) as client:
        assert (await client.beta.threads.create()).id


async def test_the_api_key_counts_when_a_bearer_comes_with_it(
    root: httpx2.AsyncClient, key: str
) -> None:
    right, wrong = f"Bearer {key}", "Bearer sk-of-some-proxy-in-between"

    good = await root.post("/v1/threads", headers={"authorization": wrong})
    bad = await root.post(
        "/v1/threads", headers={"authorization": right, "api-key": "sk-wrong-wrong-1"}
    )

    assert good.status_code == 200
    check_error(bad, 401)


async def test_a_wrong_key_is_refused(settings_of_azure: dict[str, Any]) -> None:
    settings_of_azure["api_key"] = "sk-wrong-wrong-wrong"
    async with AsyncAzureOpenAI(**settings_of_azure) as client:
        with pytest.raises(AuthenticationError) as refused:
            await client.beta.threads.create()

    assert refused.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    "path", ["/openai/threads", "/openai/v1/threads", "/openai/deployments/x/threads"]
)
async def test_who_has_no_key_is_refused_at_every_address(
    api_url: str, path: str
) -> None:
    async with httpx2.AsyncClient(base_url=api_url) as nobody:
        check_error(await nobody.post(path), 401, says="api-key")


async def test_the_version_is_not_looked_at(
    root: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    for n in range(3):
        await make.message(thread, f"{n}")

    for query in ("", "?api-version=", "?api-version=1999-01-01&limit=2&order=asc"):
        page = await call(root, "GET", f"/openai/threads/{thread.id}/messages{query}")
        assert len(page["data"]) == (2 if "limit" in query else 3)


async def test_a_refusal_names_the_address_that_was_asked(
    root: httpx2.AsyncClient,
) -> None:
    for path in (
        "/openai/nothing",
        "/openai/v1/nothing",
        "/openai/deployments/x/audio",
    ):
        check_error(await root.get(path), 404, says=f"GET {path}.")
    check_error(await root.put("/openai/threads"), 405, says="/openai/threads")
    check_error(await root.get("/openai"), 404, says="/openai")
    check_error(await root.get("/openai/../v1/x"), 404)


@pytest.mark.parametrize(
    ("path", "field"),
    [("/openai/files", "file"), ("/openai/v1/uploads/upload_x/parts", "data")],
)
async def test_a_large_form_has_the_limit_of_its_address(
    root: httpx2.AsyncClient, path: str, field: str
) -> None:
    # More than JSON may have; the parts of an upload may have it, a file may not here.
    sent = {field: ("large.bin", b"x" * (33 * 1024 * 1024))}

    response = await root.post(path, files=sent, data={})

    check_error(response, 404 if field == "data" else 413)


async def test_a_body_that_cannot_be_read_is_refused(root: httpx2.AsyncClient) -> None:
    path = "/openai/deployments/x/chat/completions"

    for body in (b"{", b"[" * 50_000, b"[]", b"\xff"):
        response = await root.post(
            path, content=body, headers={"content-type": "application/json"}
        )
        check_error(response, 400)
    check_error(await root.post(path, content=b"x"), 415)
    check_error(await root.post(path, json={}), 400, param="messages")


async def test_a_key_stands_for_the_same_request_at_either_address(
    root: httpx2.AsyncClient,
) -> None:
    key = new_key()

    first = await root.post("/openai/threads?api-version=1", headers=key)
    again = await root.post("/v1/threads", headers=key)

    assert again.json() == first.json()
    assert again.headers[REPLAYED] == "true"


async def test_the_published_document_has_each_address_once(
    root: httpx2.AsyncClient,
) -> None:
    paths = (await call(root, "GET", "/openapi.json"))["paths"]

    assert not [path for path in paths if "openai" in path or "deployments" in path]
