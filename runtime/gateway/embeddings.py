"""Embeddings: for the runtime's own index, and passed through for callers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from runtime.errors import InvalidRequest, Unavailable, UpstreamFailed
from runtime.gateway.failures import ModelFailed, as_request_error
from runtime.gateway.minilm import EmbedderUnusable, MiniLM
from runtime.gateway.tokens import estimate_tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from runtime.gateway.client import UpstreamClient
    from runtime.gateway.gateway import Gateway

Json = dict[str, Any]

# Upstreams take up to 2,048 inputs, but also bound a request's tokens (OpenAI: 300,000).
_BATCH = 128
# Long enough to stay warm in use; the model holds some 250 MB.
_IDLE_SECONDS = 300.0


class Embedder(Protocol):
    """Turns texts into vectors; one per process, for the index and for queries."""

    @property
    def model(self) -> str:
        """The model's name; vectors of different models must never mix."""

    @property
    def dimensions(self) -> int | None:
        """Length of a vector; None until an upstream has given its first."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors in the order of the texts: float32, shape (len(texts), dimensions).

        Raises:
            RateLimited, UpstreamFailed, InvalidRequest, NotFound: no vectors came.
            Unavailable: the local weights cannot be used.
        """


class LocalEmbedder:
    """all-MiniLM-L6-v2 in a thread of this process; unloaded when nobody asks."""

    def __init__(self, minilm: MiniLM) -> None:
        self._minilm = minilm
        self._unloading: asyncio.TimerHandle | None = None

    @property
    def model(self) -> str:
        return self._minilm.model

    @property
    def dimensions(self) -> int:
        return self._minilm.dimensions

    @property
    def tokenizer(self) -> Tokenizer:
        """What chunks are measured with, whoever embeds; loads, blocking, with first use."""
        return self._minilm.tokenizer

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        try:
            return await asyncio.to_thread(self._minilm.embed, texts)
        except EmbedderUnusable as error:
            raise Unavailable(str(error)) from error
        finally:
            self._unload_later()

    def close(self) -> None:
        """Forget the timer; the process is ending."""
        if self._unloading is not None:
            self._unloading.cancel()

    def _unload_later(self) -> None:
        self.close()
        self._unloading = asyncio.get_running_loop().call_later(
            _IDLE_SECONDS, self._minilm.unload_if_idle, _IDLE_SECONDS
        )


class UpstreamEmbedder:
    """An embedding model of the upstream."""

    def __init__(self, gateway: Gateway, model: str) -> None:
        self._gateway = gateway
        self._model = model
        self._dimensions: int | None = None

    @property
    def model(self) -> str:
        return self._model

    @property
    def dimensions(self) -> int | None:
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np  # a process that never embeds upstream need not hold it

        client = await self._gateway.client()
        vectors: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            vectors += self._checked(await self._ask(client, batch), len(batch))
        shape = (len(texts), self._dimensions or 0)
        return np.array(vectors, dtype=np.float32).reshape(shape)

    async def _ask(self, client: UpstreamClient, batch: Sequence[str]) -> Json:
        # OpenAI refuses the empty text; a blank has the same meaning.
        body = {
            "model": self._model,
            "input": [text or " " for text in batch],
            "encoding_format": "float",
        }
        try:
            return await client.post("/embeddings", body)
        except ModelFailed as failure:
            raise as_request_error(failure, self._model) from failure

    def _checked(self, answer: Json, wanted: int) -> list[NDArray[np.float32]]:
        import numpy as np

        try:
            data = sorted(answer["data"], key=lambda entry: int(entry["index"]))
            vectors = [np.array(entry["embedding"], np.float32) for entry in data]
        except (KeyError, TypeError, ValueError) as error:
            raise UpstreamFailed(
                "The embedding model's answer could not be understood."
            ) from error
        if len(vectors) != wanted:
            raise UpstreamFailed(
                f"The embedding model gave {len(vectors)} vectors for {wanted} texts."
            )
        for vector in vectors:
            if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
                raise UpstreamFailed("The embedding model gave what is no vector.")
            self._dimensions = self._dimensions or vector.size
            if vector.size != self._dimensions:
                raise UpstreamFailed(
                    f"The embedding model changed from {self._dimensions} to "
                    f"{vector.size} dimensions."
                )
        return vectors


async def create_embeddings(gateway: Gateway, body: Mapping[str, Any]) -> Json:
    """Embeddings for a caller, in OpenAI's shape: from the upstream, or from MiniLM.

    `encoding_format` base64 (little-endian float32, the official SDK's default) is
    served by both.

    Raises:
        InvalidRequest, NotFound, RateLimited: a verdict on the request.
        UpstreamFailed: the upstream gave no usable answer.
    """
    if gateway.embeds_locally(str(body["model"])):
        return await _embed_locally(gateway.local_embedder, body)
    client = await gateway.client()
    try:
        return await client.post("/embeddings", body)
    except ModelFailed as failure:
        raise as_request_error(failure, str(body["model"])) from failure


async def _embed_locally(embedder: LocalEmbedder, body: Mapping[str, Any]) -> Json:
    texts = _texts(body.get("input"))
    dimensions = body.get("dimensions")
    if dimensions not in (None, embedder.dimensions):
        raise InvalidRequest(
            f"The model {embedder.model} gives {embedder.dimensions} dimensions only.",
            param="dimensions",
        )
    vectors = await embedder.embed(texts)
    in_base64 = body.get("encoding_format") == "base64"
    tokens = sum(estimate_tokens(len(text)) for text in texts)
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _base64(vector) if in_base64 else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ],
        "model": embedder.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise InvalidRequest("'input' holds nothing to embed.", param="input")
    if not all(isinstance(text, str) for text in texts):
        raise InvalidRequest(
            "The local embedding model takes text; it cannot read token numbers.",
            param="input",
        )
    return texts


def _base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
