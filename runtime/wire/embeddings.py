"""Embeddings: request and response."""

from typing import Annotated, Literal

from pydantic import Field

from runtime.wire.base import NonEmptyText, NotNull, WireModel
from runtime.wire.chat import PassedThrough

_MOST_INPUTS = 2048  # as OpenAI's

Tokens = Annotated[list[int], Field(min_length=1)]


class CreateEmbeddingRequest(PassedThrough):
    """`POST /v1/embeddings`. `input` is text, or token numbers of the upstream's model."""

    model: NonEmptyText
    input: (
        NonEmptyText
        | Annotated[list[NonEmptyText], Field(min_length=1, max_length=_MOST_INPUTS)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=_MOST_INPUTS)]
    )
    encoding_format: NotNull[Literal["float", "base64"]] = None
    dimensions: NotNull[Annotated[int, Field(ge=1)]] = None


class Embedding(WireModel):
    """One vector: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(WireModel):
    prompt_tokens: int
    total_tokens: int


class CreateEmbeddingResponse(WireModel):
    """Vectors in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
