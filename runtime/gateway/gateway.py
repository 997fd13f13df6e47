"""The gateway: one per process, the seam between us and every model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.gateway.builtin import chunks, completion
from runtime.gateway.embeddings import Embedder, LocalEmbedder, UpstreamEmbedder
from runtime.gateway.failures import ModelFailed, as_request_error
from runtime.gateway.minilm import MiniLM
from runtime.gateway.upstreams import BUILTIN, UpstreamConfig, is_builtin

if TYPE_CHECKING:
    from runtime.gateway.client import UpstreamClient

Json = dict[str, Any]

LOCAL = "local"


class Gateway:
    """Models and embedder of one process. Belongs to the event loop that uses it.

    Attributes:
        embedder: what indexes files and asks for chunks.
    """

    def __init__(
        self, config: UpstreamConfig, *, embedding_model: str, embedding_threads: int
    ) -> None:
        self._config = config
        self._client: UpstreamClient | None = None
        self._opening = asyncio.Lock()
        self.local_embedder = LocalEmbedder(MiniLM(embedding_threads))
        self.embedder: Embedder = (
            self.local_embedder
            if embedding_model == LOCAL
            else UpstreamEmbedder(self, embedding_model)
        )

    @classmethod
    def open(
        cls,
        config: UpstreamConfig,
        *,
        embedding_model: str,
        cache_dir: Path | None = None,
        embedding_threads: int = 1,
    ) -> Gateway:
        """Open a gateway. Cheap: no import, no connection, no weights before first use.

        Args:
            config: the upstream, or none.
            embedding_model: `local`, or the name of an embedding model upstream.
            embedding_threads: cores that one call to the local embedder may use.

        Raises:
            ValueError: an upstream's embedding model, but no upstream.
        """
        if embedding_model != LOCAL and config.base_url is None:
            raise ValueError(
                f"The embedding model '{embedding_model}' needs an upstream; "
                f"set OPENAI_BASE_URL, or '{LOCAL}' as the embedding model."
            )
        return cls(
            config,
            embedding_model=embedding_model,
            embedding_threads=embedding_threads,
        )

    async def close(self) -> None:
        """Hang up everywhere and let go of timers."""
        self.local_embedder.close()
        if self._client is not None:
            await self._client.close()

    async def client(self) -> UpstreamClient:
        """The upstream's client; loaded, in a thread, when first asked for.

        Raises:
            ModelFailed: there is no upstream, or its address is none.
        """
        if self._config.base_url is None:
            raise ModelFailed("No model server is set; see OPENAI_BASE_URL.")
        async with self._opening:
            if self._client is None:
                client_class = await asyncio.to_thread(_load_client_class)
                try:
                    self._client = client_class(self._config)
                except Exception as error:
                    # Whatever the SDK has against the address or the key.
                    raise ModelFailed(
                        "OPENAI_BASE_URL is not an address that can be used."
                    ) from error
            return self._client

    async def warm(self) -> None:
        """Load what the first answer of an upstream would wait for: most of a second.

        Nothing to do without an upstream. An address that cannot be used is left to be
        found by the first who asks.
        """
        if self._config.base_url is not None:
            with contextlib.suppress(ModelFailed):
                await self.client()

    async def chat_chunks(
        self, body: Mapping[str, Any], *, adapt: bool
    ) -> AsyncGenerator[Json]:
        """A streamed chat completion as raw chunks, from whoever serves the model.

        Raises:
            ModelFailed: there was no usable answer, or it broke off.
        """
        if is_builtin(str(body["model"]), self._config):
            for chunk in chunks(body):
                yield chunk
                # Nothing here waits by itself, and others want their turn.
                await asyncio.sleep(0)
            return
        client = await self.client()
        async with aclosing(await client.open_chat(body, adapt=adapt)) as stream:
            async for chunk in stream:
                yield chunk

    async def chat(self, body: Mapping[str, Any]) -> Json:
        """A whole chat completion, from whoever serves the model.

        Raises:
            ModelFailed: there was no usable answer.
        """
        if is_builtin(str(body["model"]), self._config):
            return completion(body)
        return await (await self.client()).post("/chat/completions", body)

    def embeds_locally(self, model: str) -> bool:
        """Whether the local embedder serves this name; without an upstream, all names."""
        return self._config.base_url is None or model in (
            LOCAL,
            BUILTIN,
            self.local_embedder.model,
        )

    async def models(self) -> list[Json]:
        """The upstream's models, then our own two."""
        ours = [
            _model({"id": name, "owned_by": "assistants-runtime"})
            for name in (BUILTIN, self.local_embedder.model)
        ]
        if self._config.base_url is None:
            return ours
        theirs = await (await self.client()).models()
        taken = {entry["id"] for entry in ours}
        named = [entry for entry in theirs if isinstance(entry.get("id"), str)]
        return [_model(entry) for entry in named if entry["id"] not in taken] + ours


async def list_models(gateway: Gateway) -> list[Json]:
    """Every model a caller may name, in OpenAI's shape.

    Raises:
        UpstreamFailed, RateLimited: the upstream did not say which it has.
    """
    try:
        return await gateway.models()
    except ModelFailed as failure:
        raise as_request_error(failure, "models") from failure


def _model(entry: Json) -> Json:
    """A model in OpenAI's shape; what a server leaves out or misspells is blank."""
    created, owner = entry.get("created"), entry.get("owned_by")
    return {
        **entry,
        "object": "model",
        "created": int(created) if isinstance(created, int | float) else 0,
        "owned_by": owner if isinstance(owner, str) else "",
    }


def _load_client_class() -> type[UpstreamClient]:
    from runtime.gateway.client import UpstreamClient

    return UpstreamClient
