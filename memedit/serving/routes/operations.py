"""Health, metrics, statistics and the audit log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from memedit.core.errors import MemeditError
from memedit.memory.journal.feed import Freshness
from memedit.memory.plain import plain_use
from memedit.serving.service import MayAdminister, MayRead, State

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def alive() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def ready(service: State) -> JSONResponse:
    """Whether questions can be answered; 503 says why not.

    ``memory`` tells how far the edits in this process may be behind: while the database of a
    shared memory is away, questions are answered from the copy and changes are refused.
    """
    reason = await service.backend.ready()
    state: dict[str, Any] = {}
    if not reason:
        try:
            now = await run_in_threadpool(service.memory.freshness)
        except MemeditError as error:
            reason = error.message
        else:
            state = {"memory": _plain(now, service.memory.path)}
            longest = service.settings.max_stale
            if longest is not None and now.stale_seconds > longest:
                reason = f"The edits are {now.stale_seconds:.0f} seconds old."
    if reason:
        return JSONResponse({"status": "not ready", "reason": reason} | state, 503)
    return JSONResponse({"status": "ready"} | state)


def _plain(now: Freshness, folder: Path | None) -> dict[str, Any]:
    return {
        "version": now.version,
        "connected": now.connected,
        "stale_seconds": now.stale_seconds,
        "writable": now.connected and (folder is None or _may_write(folder)),
    }


def _may_write(folder: Path) -> bool:
    """Whether the system lets this process write into a folder, or make it."""
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.isdir(each))
    return os.access(there, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


@router.get("/metrics")
def metrics(service: State, caller: MayAdminister) -> Response:
    """For Prometheus."""
    told, now = service.metrics, service.memory.freshness()
    told.edits.set(len(service.memory))
    told.version.set(now.version)
    told.connected.set(now.connected)
    told.stale.set(now.stale_seconds)
    return PlainTextResponse(
        service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )


@router.get("/v1/stats")
def stats(
    service: State,
    caller: MayRead,
    digest: Annotated[bool, Query(description="Hash all edits in force.")] = False,
) -> JSONResponse:
    """The namespace's edits and their fires since the server started.

    ``digest`` is equal on all servers that hold the same edits.
    """
    memory = service.memory
    found = {"digest": memory.digest()} if digest else {}
    return JSONResponse(found | {
        "namespace": caller.namespace,
        "key": caller.key.id,
        "scopes": list(caller.key.scopes),
        "edits": memory.namespaces().get(caller.namespace, 0),
        "version": memory.version,
        "fires": service.metrics.read_fires(caller.namespace),
        "model": service.settings.model_name,
        "approval": service.settings.approval,
    })  # fmt: skip


@router.get("/v1/usage")
def usage(service: State, caller: MayRead) -> JSONResponse:
    """The namespace's edits in force, how often each fired and when last, the most used first."""
    found = [plain_use(each) for each in service.memory.uses(caller.namespace)]
    return JSONResponse({"object": "list", "data": found})


@router.get("/v1/audit")
def audit(
    service: State,
    caller: MayAdminister,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many.")] = 100,
) -> JSONResponse:
    """Who changed what, newest first."""
    return JSONResponse({"object": "list", "data": service.audit.tail(limit)})
