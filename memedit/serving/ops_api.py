"""Health, metrics, statistics and the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from memedit.errors import MemeditError
from memedit.serving.service import Caller, Service, needs, service_of

router = APIRouter(tags=["operations"])
State = Annotated[Service, Depends(service_of)]
Reader = Annotated[Caller, Depends(needs("read"))]
Admin = Annotated[Caller, Depends(needs("admin"))]


@router.get("/healthz")
async def alive() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def ready(service: State) -> JSONResponse:
    """Whether questions can be answered and edits stored; 503 says why not."""
    reason = await service.backend.ready()
    if not reason:
        try:
            await run_in_threadpool(lambda: service.memory.version)
        except MemeditError as error:
            reason = error.message
    if reason:
        return JSONResponse({"status": "not ready", "reason": reason}, 503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
def metrics(service: State, caller: Admin) -> Response:
    """For Prometheus."""
    service.metrics.edits.set(len(service.memory))
    service.metrics.version.set(service.memory.version)
    return PlainTextResponse(
        service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )


@router.get("/v1/stats")
def stats(service: State, caller: Reader) -> JSONResponse:
    """The namespace's edits and their fires since the server started."""
    memory = service.memory
    return JSONResponse({
        "namespace": caller.namespace,
        "scopes": list(caller.key.scopes),
        "edits": memory.namespaces().get(caller.namespace, 0),
        "version": memory.version,
        "fires": service.metrics.fired(caller.namespace),
        "model": service.settings.name,
        "approval": service.settings.approval,
    })  # fmt: skip


@router.get("/v1/audit")
def audit(
    service: State, caller: Admin, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> JSONResponse:
    """Who changed what, newest first."""
    return JSONResponse({"object": "list", "data": service.audit.tail(limit)})
