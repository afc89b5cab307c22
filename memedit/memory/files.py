"""Edits in files: JSON lines, JSON lists, CSV and TSV, and CounterFact's own form."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from pathlib import Path
from typing import Any

from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.files import replacing
from memedit.core.moments import UTC, read_moment, set_zone
from memedit.core.registry import unknown_name
from memedit.core.rewrites import read_rewrite
from memedit.core.types import DEFAULT_NAMESPACE, Edit, Record
from memedit.memory.address import check_output
from memedit.memory.requests import Request

COLUMNS = (
    "prompt",
    "target_new",
    "subject",
    "target_true",
    "queries",
    "excluded",
    "multiple",
    "because_of",
    "statement",
    "namespace",
    "source",
    "valid_from",
    "valid_until",
    "id",
)
# For ``memedit check``, no part of the edit: one file is tried, and imported.
_CHECKS = "checks"
_EXCERPT = 80
_PEOPLES = {
    "question": "prompt", "answer": "target_new", "right_answer": "target_new",
    "correct_answer": "target_new", "new_answer": "target_new", "wrong_answer": "target_true",
    "old_answer": "target_true", "fact": "statement",
}  # fmt: skip
"""What tables of people who answer questions call the columns."""
_BETWEEN = {".csv": ",;\t", ".tsv": "\t,;"}
"""What may stand between the cells, the likeliest first: where "," is the decimal sign,
spreadsheets write ";"."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: a request, or why there is none."""

    number: int
    text: str
    request: Request | None
    reason: str = ""


def read(
    path: Path,
    *,
    namespace: str | None = None,
    source: str = "",
    pin: bool = False,
    zone: tzinfo = UTC,
) -> Iterator[Line]:
    """The file's edits in order; blank lines are skipped. By suffix: ``.csv``, ``.tsv``, ``.json``
    (one list), anything else one JSON object a line.

    Args:
        namespace, source: For lines that name none.
        pin: Every line goes into ``namespace``, whichever it names.
        zone: Of dates, and of times of day that name none.

    Raises:
        InvalidInputError: the file as a whole is unusable: an unknown CSV column, not a JSON list.
    """
    suffix = path.suffix.casefold()
    if suffix in _BETWEEN:
        rows = _csv_rows(path, _BETWEEN[suffix])
    elif suffix == ".json":
        rows = _json_rows(path)
    else:
        rows = _jsonl_rows(path)
    for number, text, row in rows:
        if pin and not isinstance(row, str):
            # Over what the line says: a key of one namespace must not write into another by a file.
            row = {**row, "namespace": namespace or DEFAULT_NAMESPACE}
        yield _line(number, text, row, namespace or DEFAULT_NAMESPACE, source, zone)


_Row = tuple[int, str, "Mapping[str, Any] | str"]  # line number, text, object or reason


def _jsonl_rows(path: Path) -> Iterator[_Row]:
    # As bytes: one line that is no UTF-8 must not end the whole file.
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            # Never fails: a line that is refused is quoted in the report.
            text = raw.decode("utf-8-sig", errors="replace").strip()
            if not text:
                continue
            try:
                raw.decode("utf-8-sig")
                yield number, text, _object(json.loads(text))
            except UnicodeDecodeError as error:
                yield number, text, f"not UTF-8: {error.reason} at byte {error.start}"
            except (ValueError, RecursionError) as error:
                yield number, text, f"not JSON: {error}"


def _object(value: Any) -> Mapping[str, Any] | str:
    return value if isinstance(value, dict) else f"not a JSON object but {type(value).__name__}"


def _json_rows(path: Path) -> Iterator[_Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        hint = "Give a JSON list of objects, or JSON lines in a file ending in .jsonl."
        raise InvalidInputError(f"{path} is not JSON: {error}.", hint=hint) from error
    if not isinstance(content, list):
        raise InvalidInputError(f"{path} holds no JSON list.", hint="Wrap the objects in [ ].")
    for number, value in enumerate(content, start=1):
        yield number, json.dumps(value, ensure_ascii=False), _object(value)


def read_header(line: str, between: str) -> tuple[str, list[str]]:
    """(what stands between the cells, the names of the columns) of a table's first line; names
    that no edit has are as they stand there.

    Args:
        between: What may stand there, the likeliest first.

    Raises:
        csv.Error: it is no line of a table.
    """
    found = {each: [_column(name) for name in _split(line, each)] for each in between}
    # Of equals the first: the likeliest.
    best = max(between, key=lambda each: len({*found[each]} & {*COLUMNS}))
    return best, found[best]


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _column(name: str) -> str:
    plain = "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
    plain = _PEOPLES.get(plain, plain)
    return plain if plain in COLUMNS else name.strip()


def _check_header(path: Path, header: Sequence[str]) -> None:
    """Refuse a table with a column that no edit has, or one twice."""
    for name in header:
        if name not in COLUMNS:
            told = unknown_name(f"column of {path}", name, COLUMNS)
            more = "question, answer and wrong answer are prompt, target_new and target_true."
            raise InvalidInputError(told.message, hint=f"{told.hint} {more}")
        if header.count(name) > 1:
            raise InvalidInputError(f"{path} has two columns for {name}.", hint="Leave out one.")


def _csv_rows(path: Path, between: str) -> Iterator[_Row]:
    # What is no UTF-8 becomes surrogates, which no edit takes: only its line is refused.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        try:
            delimiter, header = read_header(file.readline(), between)
        except csv.Error as error:
            raise InvalidInputError(f"{path} is not CSV: {error}.") from error
        _check_header(path, header)
        # Strict: a quote that is not closed would take all that follows into one cell.
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            first = reader.line_num + 2  # the header was read before
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield first, "", _say_unreadable(error, first, reader.line_num + 1)
                continue
            if any(cell.strip() for cell in cells):
                yield reader.line_num + 1, delimiter.join(cells), _cells(header, cells)


def _say_unreadable(error: csv.Error, first: int, last: int) -> str:
    """Why a line is none of a table, or so many that were taken for one."""
    if last <= first:
        return f"not CSV: {error}"
    return f'a quote (") that begins here is not closed: lines {first} to {last} were read as one'


def _cells(header: list[str], cells: list[str]) -> Mapping[str, Any] | str:
    if len(cells) != len(header):
        return f"{len(cells)} cells where the header has {len(header)}"
    row: dict[str, Any] = {k: v for k, v in zip(header, cells, strict=True) if v.strip()}
    for name in {"queries", "excluded", "because_of"} & row.keys():
        row[name] = [part.strip() for part in row[name].split("|") if part.strip()]
    return row


def _line(
    number: int,
    text: str,
    row: Mapping[str, Any] | str,
    namespace: str,
    source: str,
    zone: tzinfo,
) -> Line:
    # Reports are printed and stored: neither takes surrogates.
    excerpt = text.encode("utf-8", errors="replace").decode()[:_EXCERPT]
    if isinstance(row, str):
        return Line(number, excerpt, None, row)
    try:
        return Line(number, excerpt, request(row, namespace, source, zone))
    except InvalidEditError as error:
        return Line(number, excerpt, None, str(error))


def request(row: Mapping[str, Any], namespace: str, source: str, zone: tzinfo = UTC) -> Request:
    """The request of one object; dates are days in ``zone``, both ends included.

    Raises:
        InvalidEditError: unknown or missing keys, or values no edit can have.
    """
    if "requested_rewrite" in row:
        row = _counterfact(row["requested_rewrite"])
    unknown = [name for name in row if name not in COLUMNS and name != _CHECKS]
    if unknown:
        known = (*COLUMNS, _CHECKS)
        raise InvalidEditError(str(unknown_name("column", str(unknown[0]), known)))
    return Request.of(
        _edit(row),
        _text(row, "namespace") or namespace,
        _text(row, "source") or source,
        _moment(row, "valid_from", zone),
        _moment(row, "valid_until", zone),
        zone=zone,
    )


def _counterfact(rewrite: Any) -> Mapping[str, Any]:
    try:
        told = read_rewrite({"target_true": {"str": None}, **rewrite})  # a user's may not tell it
        row = {
            "prompt": told.prompt,
            "subject": told.subject,
            "target_new": told.target,
            "target_true": told.true,
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidEditError(
            f"requested_rewrite lacks or garbles {error}.",
            hint='It needs "prompt" with {}, "subject" and "target_new": {"str": …}.',
        ) from None
    return row


def _edit(row: Mapping[str, Any]) -> Edit:
    statement, prompt, target = (_text(row, name) for name in ("statement", "prompt", "target_new"))
    if (statement is None) == (prompt is None):
        raise InvalidEditError("Give either prompt and target_new, or statement.")
    if prompt is not None and target is None:
        raise InvalidEditError("target_new is missing.", hint="A full sentence is a statement.")
    if statement is not None and target is not None:
        raise InvalidEditError("A statement has no target_new.")
    return Edit(
        prompt or statement or "",
        target,
        _text(row, "subject"),
        _text(row, "target_true"),
        _list(row, "queries"),
        _text(row, "id") or "",
        _list(row, "excluded"),
        _flag(row, "multiple"),
        _list(row, "because_of"),
    )


def _list(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = row.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidEditError(f"{name} must be a list of strings.")
    return tuple(value)


def _flag(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    said = value.strip().casefold() if isinstance(value, str) else value
    if said in (True, "true", "yes", "1"):
        return True
    if said in (None, False, "", "false", "no", "0"):
        return False
    raise InvalidEditError(f"{name} must be true or false, not {value!r:.40}.")


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidEditError(f"{name} must be a string, not {type(value).__name__}.")
    return value


def _moment(row: Mapping[str, Any], name: str, zone: tzinfo) -> date | None:
    text = _text(row, name)
    if text is None:
        return None
    return set_zone(read_moment(text, name, InvalidEditError), zone)


def write(path: Path, records: Iterable[Record]) -> int:
    """Write one JSON object a line, replacing ``path`` at the end; the number of lines.

    Raises:
        InvalidInputError: it is a folder, or a part of a memory.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    check_output(path)
    count = 0
    # A crash leaves the old file whole.
    with replacing(path) as new, new.open("w", encoding="utf-8") as file:
        for count, record in enumerate(records, start=1):  # noqa: B007 (told below)
            file.write(json.dumps(export_record(record), ensure_ascii=False) + "\n")
    return count


def export_record(record: Record) -> dict[str, Any]:
    """A record as an object that :func:`request` reads."""
    edit = record.edit
    row: dict[str, Any] = (
        {"statement": edit.prompt}
        if edit.is_statement
        else {"prompt": edit.prompt, "target_new": edit.target_new}
    )
    optional = {
        "subject": edit.subject,
        "target_true": edit.target_true,
        "queries": list(edit.queries),
        "excluded": list(edit.excluded),
        "multiple": edit.multiple,
        "because_of": list(edit.because_of),
        # An id that is made of the content is made again when the line is read.
        "id": edit.id if edit.id != _content_id(edit) else None,
        "source": record.source,
        "valid_from": record.valid_from and record.valid_from.isoformat(),
        "valid_until": record.valid_until and record.valid_until.isoformat(),
    }
    return row | {k: v for k, v in optional.items() if v} | {"namespace": record.namespace}


def _content_id(edit: Edit) -> str:
    return replace(edit, id="").id
