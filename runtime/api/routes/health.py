"""`/healthz`, `/readyz`, `/metrics`: for those who operate the runtime."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from runtime.api.deps import ResourcesDep, Session
from runtime.api.published import READY, UNREADY, refusal
from runtime.errors import Unavailable
from runtime.observability.metrics import FILES_WAITING, RUNS_LIVE
from runtime.runs.service import count_live
from runtime.vector_stores.files import count_in_progress

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/readyz", responses={200: READY, 503: UNREADY})
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


@router.get("/metrics", response_class=PlainTextResponse, responses={503: refusal(503)})
async def metrics(session: Session) -> Response:
    """Prometheus' text format."""
    for place, count in (await count_live(session)).items():
        RUNS_LIVE.labels(place).set(count)
    FILES_WAITING.set(await count_in_progress(session))
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
