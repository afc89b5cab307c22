"""What the memory answers as plain data, for JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from memedit.core.types import Record

if TYPE_CHECKING:
    from memedit.memory import Document, DocumentChange, Event, ImportReport, Receipt
    from memedit.memory.reports import Undone
    from memedit.memory.using import EditUse


def plain_record(record: Record) -> dict[str, Any]:
    """A record as JSON data."""
    edit = record.edit
    return {
        "id": record.id,
        "prompt": edit.prompt,
        "target_new": edit.target_new,
        "statement": edit.statement,
        "subject": edit.subject,
        "target_true": edit.target_true,
        "queries": list(edit.queries),
        "excluded": list(edit.excluded),
        "multiple": edit.multiple,
        "because_of": list(edit.because_of),
        "namespace": record.namespace,
        "source": record.source,
        "version": record.version,
        "valid_from": _iso(record.valid_from),
        "valid_until": _iso(record.valid_until),
    }


def plain_receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "id": receipt.id,
        "status": receipt.status,
        "version": receipt.version,
        "record": plain_record(receipt.record),
        "superseded": [plain_record(r) for r in receipt.superseded],
        "conflicts": [plain_record(r) for r in receipt.conflicts],
        "possible_conflict": [
            {"stays": old, "added": new} for old, new in receipt.possible_conflict
        ],
        "may_rest": [plain_record(r) for r in receipt.may_rest],
        "kept_queries": list(receipt.kept_queries),
        "kept_excluded": list(receipt.kept_excluded),
        "suspicious": list(receipt.suspicious),
        "open_start": receipt.open_start,
        "open_end": receipt.open_end,
    }


def plain_event(event: Event) -> dict[str, Any]:
    return {
        "version": event.version,
        "kind": event.kind,
        "at": event.at.isoformat(),
        "reason": event.reason,
        "record": plain_record(event.record),
        "other": event.other and event.other.id,
        "replaces": event.other.id if event.took_place and event.other else None,
    }


def plain_undone(undone: Undone, most: int | None = None) -> dict[str, Any]:
    """What a change that was taken back leaves.

    Args:
        most: How many edits are listed of those that left, and of those in force again; None: all.
            Then their totals are told, too.
    """
    told: dict[str, Any] = {
        "undone": undone.change, "first": undone.before + 1, "version": undone.version,
        "apart": undone.apart, "again": undone.again,
    }  # fmt: skip
    lists = {
        name: [event.record for event in undone.events if event.kind == kind]
        for name, kind in (("forgotten", "forget"), ("restored", "restore"))
    }
    for name, found in (lists | {"kept": list(undone.kept)}).items():
        told[name] = [plain_record(record) for record in found[:most]]
        if most is not None:
            told[f"{name}_total"] = len(found)
    return told


def plain_report(report: ImportReport, version: int) -> dict[str, Any]:
    return {
        "added": report.added,
        "duplicate": report.duplicate,
        "superseded": report.superseded,
        "refused": report.refused_total,
        "refused_lines": [
            {"line": line, "text": text, "reason": reason} for line, text, reason in report.refused
        ],
        "resumed_at": report.resumed_at,
        "suspicious": report.suspicious,
        "open_start": report.open_start,
        "open_end": report.open_end,
        "compared": report.compared,
        "change": report.change or None,
        "version": version,
    }


def plain_document(document: Document, *, passages: bool = True) -> dict[str, Any]:
    """A document in force as JSON data."""
    told = {
        "name": document.name,
        "namespace": document.namespace,
        "version": document.version,
        "title": document.title,
        "sha256": document.sha256,
        "valid_from": _iso(document.valid_from),
        "valid_until": _iso(document.valid_until),
        "upcoming": [
            {"version": version, "valid_from": _iso(since)} for version, since in document.upcoming
        ],
    }
    if not passages:
        return told | {"passages": len(document.passages)}
    said = [{"id": record.id, "text": record.edit.prompt} for record in document.passages]
    return told | {"passages": said}


_BECOMES = {"+": "added", "-": "retired", "~": "moved"}


def plain_document_change(change: DocumentChange) -> dict[str, Any]:
    """What became, or would become, of a document as JSON data; of what stays only how much."""
    return {
        "name": change.name,
        "namespace": change.namespace,
        "status": change.status,
        "before": change.before,
        "document_version": change.version,
        "version": change.memory,
        "valid_from": _iso(change.valid_from),
        "valid_until": _iso(change.valid_until),
        "made": change.made,
        "kept": len(change.take_marked(" ")),
        "diff": [
            {"becomes": _BECOMES[mark], "id": record.id, "text": record.edit.prompt}
            for mark, record in change.diff
            if mark != " "
        ],
        "suspicious": list(change.suspicious),
    }


def plain_use(use: EditUse) -> dict[str, Any]:
    """An edit's use as JSON data."""
    return {
        "id": use.record.id,
        "namespace": use.record.namespace,
        "fact": use.record.edit.statement,
        "added": use.added.isoformat(),
        "fired": use.count,
        "last_fired": _iso(use.last),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
