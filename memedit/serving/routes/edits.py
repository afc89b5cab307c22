"""The routes of edits: list, add, change, take back, import, export, look back, go back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from memedit.core.types import MAX_TEXT
from memedit.memory import files
from memedit.memory.plain import plain_record
from memedit.serving import reading
from memedit.serving.errors import ApiError, api_error
from memedit.serving.local.formats import event
from memedit.serving.routes.changes import Writes, approve, reject, show_proposal, writes
from memedit.serving.routes.uploads import TYPES, format_of
from memedit.serving.schemas import (
    Compare,
    EditChange,
    Explain,
    Learnt,
    NewEdit,
    Report,
    Restore,
    Undo,
)
from memedit.serving.service import Caller, MayAsk, MayRead, Question, Service, State

router = APIRouter(prefix="/v1", tags=["edits"])
Writing = Annotated[Writes, Depends(writes)]
Limit = Annotated[int, Query(ge=1, le=1_000, description="At most so many.")]
Id = Annotated[str, Path(max_length=MAX_TEXT, description="Id of an edit.")]
_LARGE = 10_000_000
_EXCERPT = 2_000


def _result(outcome: dict[str, Any], made: bool, status: int = 200) -> JSONResponse:
    return JSONResponse(outcome, status if made else 202)


@router.get("/edits")
def list_edits(
    service: State,
    caller: MayRead,
    match: Annotated[str, Query(max_length=1_000, description="Only facts with this text.")] = "",
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=_LARGE, description="Leave out so many before.")] = 0,
) -> JSONResponse:
    """The edits in force, newest first."""
    return JSONResponse(reading.list_edits(service, caller.namespace, match, limit, offset))


@router.post("/edits", status_code=201)
async def add_edit(writes: Writing, edit: NewEdit) -> JSONResponse:
    """Add a fact. 201: it is in force and on disk; 200: it was already; 202: it is proposed."""
    # As plain data: where approval is needed, it waits in a table.
    outcome, made = await writes.change("create", edit.model_dump(mode="json"))
    return _result(outcome, made, 200 if outcome.get("status") == "duplicate" else 201)


@router.get("/edits/{id}")
def get_edit(service: State, caller: MayRead, id: Id) -> JSONResponse:
    """One edit in force."""
    return JSONResponse(plain_record(service.memory.get(id, namespace=caller.namespace)))


@router.patch("/edits/{id}")
async def change_edit(writes: Writing, id: Id, edit: EditChange) -> JSONResponse:
    """Replace an edit by a changed one, whose id differs where its text does; what else says
    otherwise in other words is replaced, or told, as by a new edit."""
    # What is left out stays as it is; what is null is taken away.
    given = edit.model_dump(mode="json", exclude_unset=True)
    return _result(*await writes.change("alter", {"id": id, "change": given}))


@router.delete("/edits/{id}")
async def forget_edit(writes: Writing, id: Id) -> JSONResponse:
    """Take an edit back: the model answers as if it had never been added."""
    return _result(*await writes.change("forget", {"id": id}))


@router.post("/edits/{id}/reports")
async def report_edit(writes: Writing, id: Id, said: Learnt) -> JSONResponse:
    """Teach an edit: a query that it shall answer, or shall leave alone, from now on."""
    writes.service.metrics.reports.labels(said.kind).inc()
    return _result(*await writes.change("report", {"id": id, "said": said.model_dump()}))


@router.get("/edits/{id}/history")
def edit_history(service: State, caller: MayRead, id: Id) -> JSONResponse:
    """All that happened to one edit, in force or not, oldest first."""
    return JSONResponse(reading.list_events_of(service, caller.namespace, id))


@router.get("/history")
def history(service: State, caller: MayRead, limit: Limit = 50) -> JSONResponse:
    """What happened to the namespace's edits, newest first."""
    return JSONResponse(reading.list_events(service, caller.namespace, limit))


@router.post("/restore")
async def restore(writes: Writing, wanted: Restore) -> JSONResponse:
    """Bring back the namespace's edits in force at an earlier version, as a new version."""
    return _result(*await writes.change("restore", wanted.model_dump()))


@router.post("/undo")
async def undo(writes: Writing, wanted: Undo | None = None) -> JSONResponse:
    """Take back the namespace's last change, whatever it was; asked again, the one before it.

    A file is one change. What others changed since the change had begun stays (`apart`); `kept` are
    edits of the change that therefore stay. A proposal keeps to the change that was the last when
    it was made."""
    return _result(*await writes.change("undo", {} if wanted is None else wanted.model_dump()))


@router.get("/export")
def export(service: State, caller: MayRead) -> StreamingResponse:
    """The edits in force, as JSON lines that can be imported."""
    records = list(service.memory.records(caller.namespace))

    def lines() -> Iterator[str]:
        for record in records:
            yield json.dumps(files.export_record(record), ensure_ascii=False) + "\n"

    headers = {"Content-Disposition": 'attachment; filename="edits.jsonl"'}
    return StreamingResponse(lines(), media_type=TYPES["jsonl"], headers=headers)


_FILE = {"content": {kind: {"schema": {"type": "string"}} for kind in TYPES.values()}}


@router.post("/import", openapi_extra={"requestBody": _FILE | {"required": True}})
async def import_edits(
    writes: Writing,
    request: Request,
    format: Annotated[
        Literal["jsonl", "json", "csv", "tsv"] | None,
        Query(description="Left out, it is told by the content."),
    ] = None,
    source: Annotated[str, Query(max_length=1_000, description="For lines that name none.")] = "",
    compare: Annotated[
        bool,
        Query(description="Each line in other words with what is in force: some 0.1 s a line."),
    ] = False,
) -> JSONResponse:
    """Add the edits of a file. Lines that cannot be used are reported, the others kept."""
    try:
        # Spreadsheets begin their files with a mark of byte order.
        text = (await request.body()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ApiError(
            400, f"The file is not UTF-8: {error.reason} at byte {error.start}.",
            code="invalid_value",
        ) from None  # fmt: skip
    named = format or format_of(text, request.headers.get("content-type", ""))
    body = {"text": text, "format": named, "source": source, "compare": compare}
    return _result(*await writes.change("import", body))


# Why, and what else it would be


@router.post("/explain")
async def explain(service: State, caller: MayAsk, asked: Explain) -> Response:
    """The edited and the base answer to a question, and the decision behind them. With ``stream``
    events: ``{"of": "answer", "text": "..."}`` and the same of ``base_answer`` as they grow, then
    the whole, or an error."""
    question = Question(asked.query, caller.namespace, asked.chat, asked.max_tokens, asked.as_of)
    if asked.stream:
        parts, headers = _live(service, caller, question), {"Cache-Control": "no-cache"}
        return StreamingResponse(parts, media_type="text/event-stream", headers=headers)
    return JSONResponse(
        reading.narrow_explanation(caller, (await service.backend.explain([question]))[0])
    )


async def _live(service: Service, caller: Caller, question: Question) -> AsyncIterator[bytes]:
    try:
        async for part in service.backend.explain_live(question):
            yield event(part if "of" in part else reading.narrow_explanation(caller, part))
    except Exception as error:
        yield event(api_error(error).body())


@router.post("/compare")
async def compare(service: State, caller: MayAsk, asked: Compare) -> JSONResponse:
    """Edited and base answers side by side."""
    questions = [
        Question(query, caller.namespace, asked.chat, asked.max_tokens, asked.as_of)
        for query in asked.queries
    ]
    data = [
        reading.narrow_explanation(caller, each)
        for each in await service.backend.explain(questions)
    ]
    changed = sum(each["answer"] != each["base_answer"] for each in data)
    return JSONResponse({"object": "list", "data": data, "changed": changed})


# People


@router.post("/reports", status_code=201)
def report(service: State, caller: MayAsk, said: Report) -> JSONResponse:
    """Report an edit that fired where it should not, one that did not where it should, or a wrong
    answer."""
    service.metrics.reports.labels(said.kind).inc()
    kept = service.desk.report(
        caller.author, caller.namespace, said.kind, said.query, said.edit, said.comment
    )
    return JSONResponse(kept, 201)


@router.get("/reports")
def reports(service: State, caller: MayRead, limit: Limit = 50) -> JSONResponse:
    """Reports, newest first."""
    data = service.desk.reports(caller.namespace, limit)
    return JSONResponse({"object": "list", "data": data})


@router.get("/proposals")
def proposals(
    service: State,
    caller: MayRead,
    state: Annotated[
        Literal["proposed", "deciding", "approved", "rejected", "failed"] | None,
        Query(description="Only those in this state."),
    ] = None,
    limit: Limit = 50,
) -> JSONResponse:
    """Proposed changes, newest first."""
    found = service.desk.proposals(caller.namespace, state, limit)
    data = [_shorten(show_proposal(proposal)) for proposal in found]
    return JSONResponse({"object": "list", "data": data})


def _shorten(proposal: dict[str, Any]) -> dict[str, Any]:
    """A list shows the beginning of a proposed file."""
    if "text" not in proposal["body"]:
        return proposal
    body = proposal["body"] | {"text": proposal["body"]["text"][:_EXCERPT]}
    return proposal | {"body": body}


@router.post("/proposals/{id}/{verdict}")
async def decide(
    writes: Writing,
    id: Annotated[str, Path(max_length=64, description="Id of a proposal.")],
    verdict: Annotated[
        Literal["approve", "reject"], Path(description="With one's own key, reject withdraws.")
    ],
) -> Response:
    """Approve a change that another key proposed, or put it away."""
    made = approve if verdict == "approve" else reject
    return JSONResponse(await writes.run(lambda *given: show_proposal(made(*given)), id))
