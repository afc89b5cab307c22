"""Erasure for good, for keys with the scope ``admin``."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from memedit.serving.routes.changes import Writes
from memedit.serving.schemas import Purge
from memedit.serving.service import MayAdminister, State

router = APIRouter(prefix="/v1", tags=["operations"])


@router.post("/purge")
async def purge(
    request: Request,
    service: State,
    caller: MayAdminister,
    wanted: Purge,
) -> JSONResponse:
    """Erase edits for good; the certificate. Where approval is needed, 202 and a proposal, which
    another key with this scope approves."""
    writes = Writes(service, caller, request.app.state.writing)
    outcome, made = await writes.change("purge", wanted.model_dump(mode="json"))
    return JSONResponse(outcome, 200 if made else 202)
