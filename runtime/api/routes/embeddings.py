"""`/embeddings`: from the upstream, or from the local model."""

from fastapi.responses import JSONResponse

from runtime.api.deps import ResourcesDep
from runtime.api.router import Router
from runtime.gateway import create_embeddings
from runtime.wire.embeddings import CreateEmbeddingRequest, CreateEmbeddingResponse

router = Router(tags=["embeddings"])


@router.post(
    "/embeddings",
    responses={200: {"model": CreateEmbeddingResponse}},
)
async def create_embedding(
    body: CreateEmbeddingRequest, resources: ResourcesDep
) -> JSONResponse:
    """A vector for each input."""
    return JSONResponse(await create_embeddings(resources.gateway, body.as_sent()))
