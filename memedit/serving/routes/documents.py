"""The routes of documents: list, read, put in force, take back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from memedit.core.documents import NewDocument
from memedit.core.moments import moment_of
from memedit.data.documents.reading import TYPES, parse_document
from memedit.memory import DocumentChange
from memedit.memory.plain import plain_document, plain_document_change
from memedit.serving.errors import ApiError
from memedit.serving.routes.changes import Writes
from memedit.serving.routes.edits import Writing
from memedit.serving.service import MayRead, State

router = APIRouter(prefix="/v1", tags=["documents"])
DocumentName = Annotated[str, Path(max_length=64, description="Name of a document.")]
Format = Literal["markdown", "text", "html", "pdf", "docx"]
Day = Annotated[
    str | None, Query(max_length=40, description="A date, or a moment with its time zone.")
]
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get("/documents")
def list_documents(service: State, caller: MayRead, as_of: Day = None) -> JSONResponse:
    """The namespace's documents in force, by name."""
    found = service.memory.documents(caller.namespace, as_of=as_of)
    data = [plain_document(document, passages=False) for document in found]
    version = service.memory.version
    return JSONResponse({"object": "list", "data": data, "version": version})


@router.get("/documents/{name}")
def get_document(
    service: State, caller: MayRead, name: DocumentName, as_of: Day = None
) -> JSONResponse:
    """One document in force, with its passages."""
    found = service.memory.document(name, namespace=caller.namespace, as_of=as_of)
    return JSONResponse(plain_document(found))


@router.put(
    "/documents/{name}",
    openapi_extra={"requestBody": {"content": dict.fromkeys(TYPES, _BINARY), "required": True}},
)
async def put_document(
    writes: Writing,
    request: Request,
    name: DocumentName,
    format: Annotated[
        Format | None, Query(description="Left out, it is told by the content type.")
    ] = None,
    dry_run: Annotated[bool, Query(description="Only tell what would change.")] = False,
    valid_from: Day = None,
    valid_until: Day = None,
) -> JSONResponse:
    """Put a document in force, in place of its version before: passages that it says no longer are
    retired, those that it says still keep their ids. From ``valid_from`` on, where it is given: up
    to then the version before stays in force. 202: it is proposed."""
    dates = {"valid_from": valid_from, "valid_until": valid_until}
    # What is no date is refused before the document is read, and before it waits for approval.
    for what, given in dates.items():
        if given is not None:
            moment_of(given, what)
    kind = format or _kind(request.headers.get("content-type", ""))
    document = await run_in_threadpool(parse_document, await request.body(), kind, name)
    if dry_run:
        return JSONResponse(plain_document_change(await _try_document(writes, document, dates)))
    body = {
        "name": name,
        "title": document.title,
        "sha256": document.sha256,
        "passages": list(document.passages),
    }
    body |= {what: given for what, given in dates.items() if given is not None}
    outcome, made = await writes.change("document", body)
    return JSONResponse(outcome, 200 if made else 202)


@router.delete("/documents/{name}")
async def remove_document(writes: Writing, name: DocumentName) -> JSONResponse:
    """Take a document back: every passage is retired."""
    outcome, made = await writes.change("withdraw", {"name": name})
    return JSONResponse(outcome, 200 if made else 202)


def _kind(content_type: str) -> str:
    said = content_type.partition(";")[0].strip().casefold()
    if said not in TYPES:
        raise ApiError(
            400, f"{said!r:.80} is no document's content type. Send one of {', '.join(TYPES)}, or "
            "say it: ?format=markdown, text, html, pdf or docx.", code="unknown_format",
            param="format",
        )  # fmt: skip
    return TYPES[said]


async def _try_document(
    writes: Writes, document: NewDocument, dates: dict[str, str | None]
) -> DocumentChange:
    memory, namespace = writes.service.memory, writes.caller.namespace

    def try_document(*_: Any) -> DocumentChange:
        return memory.put_document(document, namespace=namespace, dry_run=True, **dates)

    return await writes.run(try_document)
