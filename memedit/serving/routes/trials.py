"""The routes of trials: a weight editor on the same edits, for comparison."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from memedit.core.types import MAX_TEXT
from memedit.serving.errors import ApiError
from memedit.serving.schemas import NewTrial
from memedit.serving.service import MayEdit, State
from memedit.serving.trials import Trial, Trials

router = APIRouter(prefix="/v1/trials", tags=["trials"])
Id = Annotated[str, Path(max_length=MAX_TEXT, description="Id of a trial.")]


def _trials(service: State) -> Trials:
    found = service.backend.trials
    if found is None:
        raise ApiError(
            400, "An upstream's weights cannot be edited; serve a local model to compare.",
            code="unsupported",
        )  # fmt: skip
    return found


Held = Annotated[Trials, Depends(_trials)]


def _show(trial: Trial, status: int = 200) -> JSONResponse:
    return JSONResponse(trial.plain(), status)


@router.post("", status_code=202)
async def begin(service: State, trials: Held, caller: MayEdit, asked: NewTrial) -> JSONResponse:
    """Fit a weight editor to the newest edits, and ask it; follow it by its id.

    The editor runs in the model's thread, between requests: each edit holds them up for seconds.
    """
    newest = list(service.memory.records(caller.namespace))[::-1]
    edits = [r.edit for r in newest if r.edit.target_new is not None][: asked.limit]
    in_order = edits[::-1]  # the oldest first, as they were made
    made = trials.begin(caller.namespace, asked.editor, in_order, asked.queries, asked.max_tokens)
    return _show(made, 202)


@router.get("/{id}")
async def look(trials: Held, caller: MayEdit, id: Id) -> JSONResponse:
    """How far a trial is; its answers in ``data`` once it is done."""
    return _show(trials.get(id, caller.namespace))


@router.delete("/{id}")
async def cancel(trials: Held, caller: MayEdit, id: Id) -> JSONResponse:
    """End a trial."""
    trial = trials.get(id, caller.namespace)
    await trials.cancel(trial)
    return _show(trial)
