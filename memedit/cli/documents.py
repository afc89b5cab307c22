"""``memedit edit document``: documents in force, put in, looked at and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from memedit.cli import render
from memedit.cli.edits import Since, Until
from memedit.cli.options import (
    DEFAULT_MEMORY,
    EncoderName,
    Json,
    Memory,
    Namespace,
    hide_password,
    open_memory,
    parse_moment,
    require_existing,
)
from memedit.cli.wording import counted, mark_changes, pair_rewordings
from memedit.core.moments import format_days
from memedit.core.passages import body_of, heading_of
from memedit.core.types import DEFAULT_NAMESPACE, Record
from memedit.memory.plain import plain_document, plain_document_change

if TYPE_CHECKING:
    from memedit.memory import DocumentChange
    from memedit.memory.documents import Document
    from memedit.memory.editions import Mark

document_app = typer.Typer(
    help="Documents: their passages are edits, found and shown where they are asked.",
    no_args_is_help=True,
)
AsOf = Annotated[
    date | None,
    typer.Option("--as-of", parser=parse_moment, metavar="DATE", help="As it stands then."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a document.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")]
_WORDS: Mapping[Mark, str] = {"+": "new", "-": "retired", "~": "moved", " ": "kept"}
_STYLES = {"+": "green", "-": "red", "~": "yellow"}


@document_app.command()
def add(
    file: Annotated[Path, typer.Argument(help="Markdown, text, HTML, PDF or DOCX, by its suffix.")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="The same for every version.", show_default="the file's"),
    ] = None,
    dry_run: DryRun = False,
    valid_from: Since = None,
    valid_until: Until = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Put a document in force, in place of its version before.

    Passages that it says no longer are retired, those that it says still keep their ids. With
    --valid-from the version before stays in force up to that day.

    memedit edit document add policy.md --name leave --dry-run
    """
    from memedit.data.documents.reading import read_document

    document = read_document(file, name)
    with open_memory(memory, encoder) as store, render.working(f"Reading {file.name}"):
        change = store.put_document(
            document, namespace=namespace, dry_run=dry_run,
            valid_from=valid_from, valid_until=valid_until,
        )  # fmt: skip
    if json:
        render.as_json(plain_document_change(change))
    else:
        _show_change(change, memory)


@document_app.command("list")
def list_(
    as_of: AsOf = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """List the documents in force.

    memedit edit document list
    """
    with open_memory(require_existing(memory), write=False) as store:
        found = store.documents(namespace, as_of=as_of)
    if json:
        render.as_json([plain_document(document, passages=False) for document in found])
        return
    for document in found:
        count = len(document.passages)
        told = f"version {document.version}, {counted(count, 'passage')}{_when(document)}"
        render.say(f"{document.name}  {document.title}  ({told})")
    if not found:
        render.note(f"{hide_password(memory)} holds no document in namespace {namespace}.")


@document_app.command()
def show(
    name: Name,
    as_of: AsOf = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """Show a document in force, passage by passage.

    memedit edit document show leave
    """
    with open_memory(require_existing(memory), write=False) as store:
        document = store.document(name, namespace=namespace, as_of=as_of)
    if json:
        render.as_json(plain_document(document))
        return
    said = f"{document.name}, version {document.version}: {document.title}"
    render.say(f"{said}{_when(document)}")
    heading = ""
    for number, record in enumerate(document.passages, start=1):
        above = heading_of(record.edit.prompt)
        if above != heading:
            heading = above
            render.say(f"\n{heading}")
        render.say(f"  {number}. [{record.id}] {_body(record)}")


@document_app.command()
def remove(
    name: Name,
    dry_run: DryRun = False,
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """Take a document back: every passage of it is retired.

    memedit edit document remove leave
    """
    with open_memory(require_existing(memory)) as store:
        change = store.remove_document(name, namespace=namespace, dry_run=dry_run)
    if json:
        render.as_json(plain_document_change(change))
    else:
        _show_change(change, memory)


def _when(document: Document) -> str:
    """When this version holds, and since when the next ones do."""
    told = format_days(document.valid_from, document.valid_until)
    later = [
        f"version {version} {format_days(since, None)}" for version, since in document.upcoming
    ]
    return "".join(f"; {each}" for each in [told, *later] if each)


def _show_change(change: DocumentChange, memory: str) -> None:
    _tell_diff(change)
    counts = ", ".join(f"{len(change.take_marked(mark)):,} {what}" for mark, what in _WORDS.items())
    if change.status == "unchanged":
        render.say(f"{change.name} says what version {change.version} said: nothing to change.")
    elif not change.made:
        render.say(f"{change.name} would be {change.status}: {counts}. Nothing was changed.")
    else:
        when = format_days(change.valid_from, change.valid_until)
        named = f"version {change.version}{', ' if when else ''}{when}"
        version = "" if change.status == "removed" else f" ({named})"
        render.say(f"{change.name} is {change.status}{version}: {counts}.")
        render.note(
            f"{hide_password(memory)} is at version {change.memory}; "
            f"memedit edit restore {change.memory - 1} undoes this."
        )
    if change.suspicious:
        what = ", ".join(change.suspicious)
        render.note(f"Some passages look like more than facts: {what}.", style="yellow")


def _tell_diff(change: DocumentChange) -> None:
    """What changes: a passage that is worded anew as one, its words marked."""
    at = {
        mark: [(n, r.edit.prompt) for n, (each, r) in enumerate(change.diff) if each == mark]
        for mark in ("-", "+")
    }
    anew = pair_rewordings(at["-"], at["+"])
    for n, (mark, record) in enumerate(change.diff):
        if mark == " " or n in anew.values():  # these come with their new wording
            continue
        above = heading_of(record.edit.prompt)
        before = f"{above}: " if above else ""
        if n in anew:
            told = mark_changes(_body(change.diff[anew[n]][1]), _body(record))
            render.tell(Text.assemble((f"± {before}", "yellow"), told))
        else:
            render.say(f"{mark} {before}{_body(record)}", style=_STYLES[mark])


def _body(record: Record) -> str:
    return body_of(record.edit.prompt).replace("\n", "\n    ")
