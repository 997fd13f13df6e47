"""The only HTTP client: the `openai` package on its aiohttp transport.

The SDK's own retries are off: ours know fallbacks and breakers, and end where an answer
begins. Importing this module costs about 40 MB and half a second, so `gateway.py` does
so when an upstream is asked for the first time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx2
from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient, Omit
from openai._types import RequestOptions

from runtime.gateway.quirks import Quirks
from runtime.gateway.retry import Retrier
from runtime.gateway.stream import ChunkStream, read_json
from runtime.gateway.translate import Asked, in_our_words, nonsense
from runtime.gateway.upstreams import UpstreamConfig, models_to_try

T = TypeVar("T")
Json = dict[str, Any]

_KEEPALIVE_SECONDS = 30
_LIST_MODELS = (
    "the list of models"  # stands where a model's name would, for its breaker
)


class UpstreamClient:
    """Asks one upstream. Opens no connection until it is asked something.

    Cancelling a call hangs up at once, also while the upstream says nothing.
    """

    def __init__(self, config: UpstreamConfig) -> None:
        self._config = config
        self._retrier = Retrier(config)
        self._quirks = Quirks()
        # Reading is timed by us, call by call; the transport times connecting alone.
        timeout = httpx2.Timeout(None, connect=config.connect_timeout_seconds)
        limits = httpx2.Limits(
            max_connections=config.max_connections,
            max_keepalive_connections=config.max_connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
        )
        # Many servers need no key: then none is sent, though the SDK insists on one.
        self._options: RequestOptions = (
            {} if config.api_key else {"headers": {"Authorization": Omit()}}
        )
        self._sdk = AsyncOpenAI(
            base_url=config.base_url,
            api_key=config.api_key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=DefaultAioHttpClient(timeout=timeout, limits=limits),
        )

    async def close(self) -> None:
        """Hang up everywhere."""
        await self._sdk.close()

    async def open_chat(self, body: Mapping[str, Any], *, adapt: bool) -> ChunkStream:
        """Begin a streamed chat completion and wait for its first piece.

        Args:
            body: a chat completion request; `model` and `stream` are set here.
            adapt: whether optional parameters the upstream refuses may be left out.

        Raises:
            ModelFailed: no model began to answer.
        """

        async def begin(model: str) -> ChunkStream:
            wanted = {**body, "model": model, "stream": True}
            if not adapt:
                return await self._begin(wanted)
            return await self._quirks.adapting(wanted, self._begin)

        return await self._first_answer(str(body.get("model")), begin)

    async def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """Ask for a whole answer: `/chat/completions` unstreamed, or `/embeddings`.

        Raises:
            ModelFailed: no model answered usefully.
        """

        async def ask(model: str) -> Json:
            return await self._whole("post", path, {**body, "model": model})

        model = str(body.get("model"))
        if path == "/embeddings":
            # Another model's vectors would be noise: no fallback.
            return await self._retrier.first_answer([model], ask)
        return await self._first_answer(model, ask)

    async def models(self) -> list[Json]:
        """The models the upstream says it has.

        Raises:
            ModelFailed: it did not say.
        """

        async def ask(_: str) -> Json:
            return await self._whole("get", "/models", None)

        listing = await self._retrier.first_answer([_LIST_MODELS], ask)
        data = listing.get("data")
        if not isinstance(data, list):
            raise nonsense(begun=True)
        return [entry for entry in data if isinstance(entry, dict)]

    async def _first_answer(self, model: str, ask: Callable[[str], Awaitable[T]]) -> T:
        return await self._retrier.first_answer(models_to_try(model, self._config), ask)

    async def _begin(self, body: Json) -> ChunkStream:
        model = body["model"]
        asked = Asked(model, self._config.api_key)
        with in_our_words(asked, begun=False):
            async with asyncio.timeout(self._config.first_token_timeout_seconds):
                response = await self._send("post", "/chat/completions", body)
                stream = ChunkStream(
                    response,
                    asked=asked,
                    breaker=self._retrier.breaker(model),
                    between_tokens_timeout_seconds=(
                        self._config.between_tokens_timeout_seconds
                    ),
                )
                try:
                    await stream.begin()
                except BaseException:
                    await stream.aclose()
                    raise
                return stream

    async def _whole(self, method: str, path: str, body: Json | None) -> Json:
        asked = Asked(body["model"] if body else "", self._config.api_key)
        is_chat = path == "/chat/completions"
        limit = (
            self._config.whole_answer_timeout_seconds
            if is_chat
            else self._config.first_token_timeout_seconds
        )
        with in_our_words(asked, begun=False):
            async with asyncio.timeout(limit):
                response = await self._send(method, path, body)
                try:
                    text = await response.aread()
                finally:
                    await response.aclose()
        if "html" in response.headers.get("content-type", ""):
            raise nonsense(page=True)
        answer = read_json(text, asked)
        if is_chat and not answer.get("choices"):
            raise nonsense()
        return answer

    async def _send(self, method: str, path: str, body: Json | None) -> httpx2.Response:
        """Send; come back with the headers. The body is for the caller to read.

        The SDK's stream object is asked for only because it hands out the response
        unread: its parser hides whether `[DONE]` came, which tells whole from cut.
        """
        stream: AsyncStream[object]
        if method == "get":
            stream = await self._sdk.get(
                path,
                cast_to=object,
                options=self._options,
                stream=True,
                stream_cls=AsyncStream[object],
            )
        else:
            stream = await self._sdk.post(
                path,
                body=body,
                cast_to=object,
                options=self._options,
                stream=True,
                stream_cls=AsyncStream[object],
            )
        return stream.response
