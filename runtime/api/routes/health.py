"""`/healthz`, `/readyz`, `/metrics`: for those who operate the runtime."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from runtime.api.deps import ResourcesDep
from runtime.errors import Unavailable

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(resources: ResourcesDep) -> JSONResponse:
    """200 when database, Redis and a worker answer; else 503 and which does not."""
    checks = {"database": "ok", "redis": "ok", "worker": "ok"}
    try:
        await resources.db.ping()
    except Unavailable:
        checks["database"] = "does not answer"
    if not await resources.bus.ping():
        checks["redis"] = "does not answer"
    if not await resources.bus.workers():
        checks["worker"] = "none has been heard of"
    ready = all(state == "ok" for state in checks.values())
    return JSONResponse(
        {"status": "ready" if ready else "not ready", **checks}, 200 if ready else 503
    )


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
