"""Which format an uploaded file of edits has: as it is said to be, else as its content tells."""

from __future__ import annotations

import csv
import json

from memedit.memory.files import read_header
from memedit.serving.errors import ApiError

TYPES = {"jsonl": "application/x-ndjson", "json": "application/json", "csv": "text/csv",
         "tsv": "text/tab-separated-values"}  # fmt: skip
_SAID = {kind: name for name, kind in TYPES.items()} | {
    "application/jsonl": "jsonl", "application/json-lines": "jsonl",
    "application/x-jsonlines": "jsonl", "application/csv": "csv",
}  # fmt: skip


def format_of(text: str, content_type: str) -> str:
    """One of :data:`TYPES`.

    JSON is told by its first character, whatever the type says: many clients send every body as
    ``application/json``, or as a form. A table is told by its type, or by a first line that has
    the names of columns.

    Raises:
        ApiError: 400, it is none of them.
    """
    said = _SAID.get(content_type.partition(";")[0].strip().casefold(), "")
    start = text.lstrip()
    if not start:
        return said or "jsonl"
    if start[0] == "[":
        return "json" if said != "jsonl" else said
    # As a file's lines end: JSON may hold the other breaks that splitlines knows.
    line = start.partition("\n")[0].partition("\r")[0]
    if start[0] == "{":
        return "json" if said == "json" and not _is_json(line) else "jsonl"
    if said in ("csv", "tsv"):
        return said
    if delimiter := _read_delimiter(line):
        return "tsv" if delimiter == "\t" else "csv"
    raise ApiError(
        400, f"The file's format cannot be told: it begins with {start[:40]!r}, which is neither "
        "JSON nor the names of columns (question,answer ...). Say it: ?format=csv, tsv, json or "
        "jsonl.", code="unknown_format", param="format",
    )  # fmt: skip


def _read_delimiter(line: str) -> str:
    """What stands between the cells of a first line that names a fact, at least; "" if none."""
    try:
        delimiter, names = read_header(line, "\t,;")
    except csv.Error:
        return ""
    return delimiter if {"prompt", "statement"} & {*names} else ""


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
