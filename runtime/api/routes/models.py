"""`/models`: what may be named as a model."""

from runtime.api.deps import ResourcesDep
from runtime.api.router import Router
from runtime.errors import NotFound
from runtime.gateway import list_models as ask_for_models
from runtime.wire.models import ListModelsResponse, Model

router = Router(tags=["models"])


@router.get("/models")
async def list_models(resources: ResourcesDep) -> ListModelsResponse:
    """The upstream's models and our own."""
    listed = await ask_for_models(resources.gateway)
    return ListModelsResponse(data=[Model.model_validate(entry) for entry in listed])


# A model's name may hold slashes: `meta-llama/Llama-3.1-8B`.
@router.get("/models/{model:path}")
async def retrieve_model(model: str, resources: ResourcesDep) -> Model:
    """One of them."""
    for entry in await ask_for_models(resources.gateway):
        if entry["id"] == model:
            return Model.model_validate(entry)
    raise NotFound("model", model)
