"""Changes to the memory, each with its author in the audit log, or as a proposal."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request

from memedit.core.documents import NewDocument
from memedit.core.errors import (
    InvalidInputError,
    UnknownEditError,
    UntrustedFileError,
)
from memedit.core.suspicion import find_in_texts
from memedit.core.types import Edit
from memedit.core.untrusted import parse_json
from memedit.memory import Receipt
from memedit.memory.plain import (
    plain_document_change,
    plain_receipt,
    plain_record,
    plain_report,
    plain_undone,
)
from memedit.memory.requests import Request as Asked
from memedit.model.amending import compare_new, correct
from memedit.model.importing import compare_lines
from memedit.model.several import apply_default
from memedit.serving.errors import ApiError, api_error
from memedit.serving.ledger.audit import Author
from memedit.serving.ledger.desk import Proposal
from memedit.serving.reading import narrowing
from memedit.serving.schemas import EditChange, Learnt, NewEdit, Purge, Restore, Undo
from memedit.serving.service import Caller, MayEdit, Service, State
from memedit.serving.wanted import apply_change, make_edit

Outcome = dict[str, Any]
T = TypeVar("T")
_COMPARED = ("create", "alter")
"""Changes before which is looked for what says the same in other words."""
_KEPT = 1_000
"""Proposals of which it is remembered what their texts look like."""
_TOLD = 100
"""Edits of a change taken back that an answer lists."""
WRITERS = 8
"""Changes at once. They are made one after the other: more threads would only wait."""


class Editor:
    """Makes one caller's changes.

    Args:
        service: The server's parts.
        namespace: Where they are made.
        author: Who answers for them.
        approved_by: Who approved them, where that is needed.
    """

    def __init__(
        self, service: Service, namespace: str, author: Author, approved_by: Author | None = None
    ) -> None:
        self.service, self.namespace, self.author = service, namespace, author
        self._approved_by = None if approved_by is None else approved_by.key

    def make(self, action: str, body: Mapping[str, Any]) -> Outcome:
        """Make a change that was asked for as plain data.

        Raises:
            ApiError, MemeditError: it cannot be made; the memory is as before.
        """
        make: Callable[[Mapping[str, Any]], Outcome] = getattr(self, f"_{action}")
        if action not in _COMPARED:
            return make(body)
        with self.service.memory.comparing():
            return make(body)

    def _create(self, body: Mapping[str, Any]) -> Outcome:
        wanted, memory = NewEdit.model_validate(body), self.service.memory
        edit = apply_default(make_edit(wanted), memory.encoder, wanted.multiple)
        self.service.backend.check(edit)
        memory.check_reasons(edit, self.namespace)
        dates = {"valid_from": wanted.valid_from, "valid_until": wanted.valid_until}
        told = compare_new(memory, edit, self.namespace, self.service.backend.corrections, **dates)
        if isinstance(told, Receipt):
            return plain_receipt(told)
        with self._change("create", id=edit.id) as outcome:
            receipt = memory.add(
                edit, namespace=self.namespace, source=wanted.source or "", **(dates | told)
            )
            outcome |= {"id": receipt.id, "version": receipt.version, "status": receipt.status}
            outcome["superseded"] = [record.id for record in receipt.superseded]
        return plain_receipt(receipt)

    def _alter(self, body: Mapping[str, Any]) -> Outcome:
        id = str(body["id"])
        record = self.service.memory.get(id, namespace=self.namespace)
        wanted = EditChange.model_validate(body["change"])
        edit, rest = apply_change(record, wanted)
        self.service.backend.check(edit)
        if "because_of" in wanted.model_fields_set:  # what it rested on before may be gone since
            self.service.memory.check_reasons(edit, self.namespace)
        with self._change("alter", id=id) as outcome:
            find = self.service.backend.corrections
            receipt = correct(self.service.memory, record, edit, find, **rest)
            outcome |= {"id": receipt.id, "version": receipt.version}
            outcome["superseded"] = [record.id for record in receipt.superseded]
        return plain_receipt(receipt)

    def _report(self, body: Mapping[str, Any]) -> Outcome:
        id, said = str(body["id"]), Learnt.model_validate(body["said"])
        memory = self.service.memory
        # An unknown id is refused before the log says that a change began.
        memory.get(id, namespace=self.namespace)
        with self._change("report", id=id, kind=said.kind, query=said.query) as outcome:
            receipt = memory.report(
                id, said.query, concerns=said.kind == "miss", namespace=self.namespace
            )
            outcome |= {"id": receipt.id, "version": receipt.version}
        return plain_receipt(receipt)

    def _forget(self, body: Mapping[str, Any]) -> Outcome:
        id = str(body["id"])
        memory = self.service.memory
        memory.get(id, namespace=self.namespace)
        with self._change("forget", id=id) as outcome:
            record = memory.forget(id, namespace=self.namespace)
            outcome |= {"id": id, "version": memory.version}
        told = {"id": id, "forgotten": plain_record(record), "version": outcome["version"]}
        return told | {"may_rest": [plain_record(r) for r in memory.resting_on([record])]}

    def _restore(self, body: Mapping[str, Any]) -> Outcome:
        wanted = Restore.model_validate(body)
        memory = self.service.memory
        self._check_unchanged(wanted)
        with self._change("restore", to=wanted.version) as outcome:
            version = memory.restore(wanted.version, namespace=self.namespace)
            outcome |= {"version": version}
        edits = memory.namespaces().get(self.namespace, 0)
        purged = memory.count_purged(wanted.version, namespace=self.namespace)
        told = {"restored": wanted.version, "version": version, "edits": edits, "purged": purged}
        left = map(plain_record, memory.find_unanswered(wanted.version, namespace=self.namespace))
        return told | {"unanswered": [*left]}

    def _undo(self, body: Mapping[str, Any]) -> Outcome:
        memory = self.service.memory
        wanted = Undo.model_validate(body)
        self._check_unchanged(wanted)
        with self._change("undo") as outcome:
            try:
                undone = memory.undo(wanted.version, namespace=self.namespace)
            except InvalidInputError as error:  # none stands, or it is a purge
                message = f"{error.message} GET /v1/history tells what happened."
                raise ApiError(409, message, code="nothing_to_undo") from error
            outcome |= {"undone": undone.change, "version": undone.version}
        return plain_undone(undone, _TOLD)

    def _purge(self, body: Mapping[str, Any]) -> Outcome:
        wanted = Purge.model_validate(body)
        memory = self.service.memory
        what: dict[str, Any] = {"subject": wanted.subject, "everything": wanted.everything}
        what |= {"document": wanted.document, "namespace": self.namespace}
        if not wanted.finish and not memory.preview_purge(*wanted.ids, **what).records:
            raise UnknownEditError("There is nothing to purge.", hint="It may be purged already.")
        with self._change("purge") as outcome:
            made = memory.finish_purge() if wanted.finish else memory.purge(*wanted.ids, **what)
            if made is None:
                raise UnknownEditError("There is no unfinished purge.", hint="Ask for it again.")
            outcome |= {"purge": made.purge, "records": len(made.records)}
            outcome |= {"version": made.version, "complete": made.complete}
        return made.plain()

    def _document(self, body: Mapping[str, Any]) -> Outcome:
        document = NewDocument(
            str(body["name"]), tuple(body["passages"]), str(body["sha256"]), str(body["title"])
        )
        self.service.backend.check(Edit.from_statement(document.passages[0]))
        with self._change("document", document=document.name) as outcome:
            change = self.service.memory.put_document(
                document, namespace=self.namespace,
                valid_from=body.get("valid_from"), valid_until=body.get("valid_until"),
            )  # fmt: skip
            outcome |= {"version": change.memory, "document_version": change.version}
        return plain_document_change(change)

    def _withdraw(self, body: Mapping[str, Any]) -> Outcome:
        name = str(body["name"])
        self.service.memory.document(name, namespace=self.namespace)
        with self._change("withdraw", document=name) as outcome:
            change = self.service.memory.remove_document(name, namespace=self.namespace)
            outcome |= {"version": change.memory}
        return plain_document_change(change)

    def _check_unchanged(self, wanted: Restore | Undo) -> None:
        if wanted.if_version is None:
            return
        events = self.service.memory.history(namespace=self.namespace)
        if events and events[-1].version > wanted.if_version:
            raise ApiError(
                409, f"Somebody changed the edits after version {wanted.if_version}.",
                code="version_conflict", param="if_version",
            )  # fmt: skip

    def _import(self, body: Mapping[str, Any]) -> Outcome:
        text, kind = str(body["text"]), str(body["format"])
        memory = self.service.memory
        with tempfile.TemporaryDirectory(prefix="memedit-") as folder:
            path = Path(folder) / f"import.{kind}"
            # as it came: a CSV file's cells may hold line breaks
            path.write_text(text, "utf-8", newline="")
            with self._change("import", bytes=path.stat().st_size) as outcome:
                report = _import(
                    lambda: memory.import_file(
                        path,
                        namespace=self.namespace,
                        source=str(body["source"]),
                        pin=True,
                        compare=self._compare() if body.get("compare") else None,
                    ),  # fmt: skip
                    str(path),
                )
                version = memory.version
                outcome |= {"added": report.added, "version": version}
        return plain_report(report, version)

    def _compare(self) -> Callable[[Asked], Asked | Receipt]:
        return compare_lines(self.service.memory, self.service.backend.corrections)

    def _change(self, action: str, **about: Any) -> AbstractContextManager[dict[str, Any]]:
        return self.service.audit.change(
            self.author, action, self.namespace, approved_by=self._approved_by, **about
        )


def _import(run: Callable[[], T], path: str) -> T:
    """Errors of the file as a whole name the upload, not our temporary file."""
    try:
        return run()
    except InvalidInputError as error:
        message = error.message.replace(repr(path), "the file").replace(path, "the file")
        raise InvalidInputError(message, hint=error.hint.replace(path, "the file")) from error


class WriteThreads:
    """The threads on which changes are made, and how many have come for one."""

    def __init__(self) -> None:
        self.limiter = CapacityLimiter(WRITERS)
        self._here = 0

    @contextmanager
    def count(self, most: int) -> Iterator[None]:
        """Count one more, for as long as the block lasts.

        Args:
            most: How many may wait besides those that are being made.

        Raises:
            ApiError: 503, so many wait already.
        """
        if self._here >= WRITERS + most:
            raise ApiError(
                503, "Too many changes wait already; try again.",
                code="too_many_waiting", headers={"Retry-After": "1"},
            )  # fmt: skip
        self._here += 1
        try:
            yield
        finally:
            self._here -= 1


@dataclass(frozen=True, slots=True)
class Writes:
    """Makes one caller's changes, a few of all callers' at once.

    A change may have to wait for another process; it does so on threads of its own, so that
    reading always finds one.
    """

    service: Service
    caller: Caller
    threads: WriteThreads

    async def change(self, action: str, body: dict[str, Any]) -> tuple[Outcome, bool]:
        """:func:`change`."""
        return await self.run(change, action, body)

    async def run(self, act: Callable[..., T], *given: Any) -> T:
        """What ``act(service, caller, *given)`` gives.

        Raises:
            ApiError: 503, too many changes wait already.
        """
        with self.threads.count(self.service.settings.max_writing), narrowing(self.caller):
            limiter = self.threads.limiter
            return await run_sync(act, self.service, self.caller, *given, limiter=limiter)


def writes(
    request: Request,
    service: State,
    caller: MayEdit,
) -> Writes:
    """A dependency: the caller, who may edit, and the threads that write."""
    return Writes(service, caller, request.app.state.writing)


def change(
    service: Service, caller: Caller, action: str, body: dict[str, Any]
) -> tuple[Outcome, bool]:
    """(what came of it, whether it was made); proposed instead where approval is needed."""
    if service.settings.bare:
        raise ApiError(409, "This server holds no edits.", code="no_memory")
    if service.settings.approval:
        if action == "undo" and body.get("if_version") is body.get("version") is None:
            # Who approves it may do so after other changes: it is this one that shall go.
            body = body | {"if_version": service.memory.version}
        with service.audit.change(caller.author, "propose", caller.namespace) as outcome:
            proposal = service.desk.propose(caller.author, caller.namespace, action, body)
            outcome |= {"proposal": proposal.id, "proposed": action}
        return {"proposal": show_proposal(proposal)}, False
    return Editor(service, caller.namespace, caller.author).make(action, body), True


def show_proposal(proposal: Proposal) -> dict[str, Any]:
    """A proposal with what of its texts looks like more than a fact, for whoever decides."""
    return proposal.plain() | {"suspicious": list(_suspicious(proposal.body))}


_looked: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()


def _suspicious(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What a proposed change's texts look like. A file takes seconds a megabyte: once is enough."""
    digest = hashlib.sha256(json.dumps(body).encode()).digest()
    found = _looked.get(digest)
    if found is None:
        found = _looked[digest] = find_in_texts(_texts(body))
        while len(_looked) > _KEPT:
            with suppress(KeyError):  # another thread was faster
                _looked.popitem(last=False)
    return found


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    """Every text of a proposed change; of a file as JSON what it says, not how it is written."""
    left: list[Any] = [body]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str):
            held, rest = _read_lines(value)
            left += held
            yield rest


def _read_lines(text: str) -> tuple[list[Any], str]:
    """(what a file of JSON or JSON lines holds, what of it is neither)."""
    if text.lstrip()[:1] not in ("{", "["):
        return [], text
    with suppress(UntrustedFileError):
        return [parse_json(text)], ""
    held, rest = list[Any](), list[str]()
    for line in text.split("\n"):
        try:
            held.append(parse_json(line))
        except UntrustedFileError:
            rest.append(line)
    return held, "\n".join(rest)


def approve(service: Service, caller: Caller, id: str) -> Proposal:
    """Make a proposed change.

    Raises:
        ApiError: 403 for one's own proposal, 404, 409 where it was decided already.
    """
    proposal = _open(service, caller, id)
    if proposal.author == caller.key.id:
        raise ApiError(403, "Another key must approve this proposal.", code="own_proposal")
    if proposal.action == "purge" and not caller.key.allows("admin"):
        raise ApiError(403, "This key lacks the scope 'admin'.", code="insufficient_scope")
    _take(service, caller, id)
    if proposal.action == "purge":
        service.desk.blank(id)  # it says what shall be known no more
    author = Author(proposal.author, proposal.name)
    try:
        editor = Editor(service, caller.namespace, author, approved_by=caller.author)
        outcome = editor.make(proposal.action, proposal.body)
    except Exception as error:
        service.desk.decide(id, "failed", api_error(error).body())
        raise
    service.desk.decide(id, "approved", outcome)
    return _find_decided(service, caller, id)


def reject(service: Service, caller: Caller, id: str) -> Proposal:
    """Put a proposed change away; its author may do so too."""
    _open(service, caller, id)
    _take(service, caller, id)
    with service.audit.change(caller.author, "reject", caller.namespace, proposal=id):
        service.desk.decide(id, "rejected", None)
    return _find_decided(service, caller, id)


def _open(service: Service, caller: Caller, id: str) -> Proposal:
    proposal = service.desk.proposal(id, caller.namespace)
    if proposal is None:
        raise ApiError(404, "There is no such proposal.", code="proposal_not_found")
    return proposal


def _take(service: Service, caller: Caller, id: str) -> None:
    if not service.desk.take(id, caller.namespace, caller.author):
        raise ApiError(409, "This proposal was decided already.", code="already_decided")


def _find_decided(service: Service, caller: Caller, id: str) -> Proposal:
    found = service.desk.proposal(id, caller.namespace)
    assert found is not None
    return found
