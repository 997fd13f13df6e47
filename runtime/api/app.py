"""The API process: routers, errors, middleware, and resources for as long as it lives."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

import runtime
from runtime.api import docs, errors, playground
from runtime.api.azure import Azure
from runtime.api.cross_origin import CrossOrigin
from runtime.api.middleware import Envelope, Gate
from runtime.api.openapi import DescribedAPI, operation_id
from runtime.api.routes import operator_routers, v1_routers
from runtime.observability.logging import configure_logging
from runtime.resources import open_resources
from runtime.settings import Settings

_POOL_SIZE = 10


def app_from_environment() -> FastAPI:
    """What uvicorn's `--factory` calls."""
    settings = Settings()
    configure_logging(settings.log_level, settings.log_format)
    return create_app(settings)


def create_app(settings: Settings) -> FastAPI:
    """The whole API, ready to be served."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_resources(settings, pool_size=_POOL_SIZE) as resources:
            app.state.resources = resources
            yield

    app = DescribedAPI(
        title="Assistants Runtime",
        version=runtime.__version__,
        lifespan=lifespan,
        # /v1/threads/ is not an address of the API, and a redirect would lose the body.
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        # The page at /docs is ours.
        docs_url=None,
        redoc_url=None,
    )
    errors.install(app)
    for router in v1_routers():
        app.include_router(router, prefix="/v1")
    for router in operator_routers():
        app.include_router(router)
    docs.mount(app)
    playground.mount(app)
    # The last one added is the outermost.
    app.add_middleware(Gate, max_file_bytes=settings.max_file_bytes)
    app.add_middleware(Envelope)
    app.add_middleware(CrossOrigin)
    app.add_middleware(Azure)
    return app
