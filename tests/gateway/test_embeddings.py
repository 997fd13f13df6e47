"""Vectors: in order, checked, from the upstream or from this machine."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from runtime.errors import InvalidRequest, RateLimited, UpstreamFailed
from runtime.gateway import Gateway, UpstreamConfig, create_embeddings
from tests.gateway.conftest import Open
from tests.support.turns import Turn, embeds, fails, garbage
from tests.support.upstream import Upstream


async def test_many_texts_are_embedded_in_order_and_in_batches(
    upstream: Upstream, open_gateway: Open
) -> None:
    model = upstream.script(embeds(dimensions=16, shuffled=True), repeat=True)
    embedder = open_gateway(embedding_model=model).embedder
    texts = [f"text number {at}" for at in range(300)]
    assert embedder.dimensions is None

    vectors = await embedder.embed(texts)

    assert vectors.shape == (300, 16)
    assert vectors.dtype == np.float32
    assert [embedder.model, embedder.dimensions] == [model, 16]
    alone = await embedder.embed([texts[200]])
    assert np.array_equal(alone[0], vectors[200])
    sizes = [len(body["input"]) for body in upstream.requests(model)]
    assert sizes == [128, 128, 44, 1]


async def test_no_text_is_no_request(upstream: Upstream, open_gateway: Open) -> None:
    model = upstream.script(embeds())
    embedder = open_gateway(embedding_model=model).embedder

    assert len(await embedder.embed([])) == 0
    assert not upstream.requests(model)


async def test_the_empty_text_is_sent_as_a_blank(
    upstream: Upstream, open_gateway: Open
) -> None:
    model = upstream.script(embeds())

    await open_gateway(embedding_model=model).embedder.embed(["", "a"])

    assert upstream.requests(model)[0]["input"] == [" ", "a"]


def broken(*vectors: Any) -> Turn:
    data = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return fails(200, body=json.dumps({"data": data}))


@pytest.mark.parametrize(
    ("turn", "complaint"),
    [
        (embeds(missing=1), "1 vectors for 2 texts"),
        (broken([1.0, 2.0], [1.0]), "changed from 2 to 1"),
        (broken([], []), "no vector"),
        (broken([1.0], [float("nan")]), "no vector"),
        (broken("abc", "def"), "could not be understood"),
        (broken(None, None), "no vector|could not be understood"),
        (fails(200, body='{"data": 5}'), "could not be understood"),
        (fails(200, body="[]"), "could not be understood"),
        (garbage("html"), "OPENAI_BASE_URL"),
    ],
)
async def test_an_answer_that_does_not_fit_is_refused(
    upstream: Upstream, open_gateway: Open, turn: Turn, complaint: str
) -> None:
    model = upstream.script(turn, repeat=True)
    embedder = open_gateway(embedding_model=model).embedder

    with pytest.raises(UpstreamFailed, match=complaint):
        await embedder.embed(["a", "b"])


async def test_a_passing_failure_is_asked_again_and_a_limit_is_told(
    upstream: Upstream, open_gateway: Open
) -> None:
    passing = upstream.script(fails(500), embeds())
    limited = upstream.script(fails(429, retry_after=99))

    assert len(await open_gateway(embedding_model=passing).embedder.embed(["a"])) == 1
    with pytest.raises(RateLimited) as caught:
        await open_gateway(embedding_model=limited).embedder.embed(["a"])
    assert caught.value.retry_after_seconds == 99


async def test_the_local_embedder_needs_no_upstream(builtin: Gateway) -> None:
    vectors = await builtin.embedder.embed(["a cat", "a kitten", "tax law"])

    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert (builtin.embedder.model, builtin.embedder.dimensions) == (
        "all-MiniLM-L6-v2",
        384,
    )


def test_an_upstreams_embedding_model_without_an_upstream_is_refused() -> None:
    with pytest.raises(ValueError, match="OPENAI_BASE_URL"):
        Gateway.open(
            UpstreamConfig(base_url=None, api_key=None), embedding_model="text-3"
        )


async def test_a_caller_gets_numbers_or_base64(builtin: Gateway) -> None:
    body = {"model": "text-embedding-3-small", "input": "a cat"}

    numbers = await create_embeddings(builtin, body)
    packed = await create_embeddings(builtin, {**body, "encoding_format": "base64"})

    assert numbers["model"] == "all-MiniLM-L6-v2"
    assert numbers["usage"]["total_tokens"] > 0
    unpacked = np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), "<f4")
    assert np.allclose(unpacked, numbers["data"][0]["embedding"])


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"input": []}, "nothing to embed"),
        ({"input": [1, 2, 3]}, "token numbers"),
        ({"input": "a", "dimensions": 100}, "384 dimensions only"),
    ],
)
async def test_what_the_local_model_cannot_do_is_refused(
    builtin: Gateway, body: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        await create_embeddings(builtin, {"model": "local", **body})


async def test_a_callers_embeddings_pass_through(
    upstream: Upstream, gateway: Gateway
) -> None:
    model = upstream.script(embeds(dimensions=4))
    body = {"model": model, "input": ["a", "b"], "encoding_format": "base64"}

    answer = await create_embeddings(gateway, body)

    assert upstream.requests(model) == [body]
    assert len(base64.b64decode(answer["data"][1]["embedding"])) == 16
    local = await create_embeddings(gateway, {"model": "local", "input": "a"})
    assert local["model"] == "all-MiniLM-L6-v2"
