"""``memedit edit undo``, ``correct``, ``salvage``: a change taken back, an edit put right, and what
is left of a damaged memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer
from rich.text import Text

from memedit.cli import render
from memedit.cli.dated import tell_open_days
from memedit.cli.edits import AnyNamespace, Since, Until
from memedit.cli.options import (
    DEFAULT_MEMORY,
    EncoderName,
    Json,
    Memory,
    Namespace,
    hide_password,
    open_memory,
    require_existing,
)
from memedit.cli.wording import counted
from memedit.core.documents import place_of
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.types import DEFAULT_NAMESPACE, Record
from memedit.memory.altering import alter, read_text
from memedit.memory.plain import plain_receipt, plain_undone

_SHOWN = 20


def undo(
    version: Annotated[
        int | None, typer.Argument(help="Made by the change; left out: the last change.")
    ] = None,
    namespace: AnyNamespace = None,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """Take back the last change, whatever it was; asked again, the one before it.

    A purge is not taken back. A file is one change, whatever others wrote meanwhile: theirs stays.

    memedit edit undo

    memedit edit undo 41

    memedit edit history tells the versions.
    """
    with open_memory(require_existing(memory)) as store:
        undone = store.undo(version, namespace=namespace)
    if json:
        render.as_json(plain_undone(undone))
        return
    gone = [event.record for event in undone.events if event.kind == "forget"]
    back = [event.record for event in undone.events if event.kind == "restore"]
    _tell_undone(gone, back, list(undone.kept))
    where = hide_password(memory)
    only = "" if namespace is None else f" --namespace {quote(namespace)}"
    if undone.kept:
        render.note("What stays is of facts that others changed since: memedit edit forget ID.")
    as_it_is = (
        f"as it was at {undone.before}"
        if not undone.apart
        else "with all that came after the change had begun"
    )
    render.note(
        f"{f'{namespace!r} of ' if only else ''}{where} is at version {undone.version}, "
        f"{as_it_is}; memedit edit restore {undone.again}{only} brings the change again."
    )


def _tell_undone(gone: list[Record], back: list[Record], kept: list[Record]) -> None:
    for verb, records in (("Taken back", gone), ("In force again", back), ("Stays", kept)):
        for record in records[:_SHOWN]:
            render.tell(Text.assemble(f"{verb} {record.id}: ", render.fact(record)))
        if len(records) > _SHOWN:
            render.say(f"{verb}: {len(records) - _SHOWN:,} more.")


def correct(
    id: Annotated[str, typer.Argument(help="Id of the edit that is wrong.")],
    text: Annotated[
        str | None,
        typer.Argument(help="What shall follow its prompt; of a statement, the whole statement."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", metavar="TEXT", help="Another prompt.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="What it is about, as in the prompt.")
    ] = None,
    valid_from: Since = None,
    valid_until: Until = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Put an edit right by its id: what is not given stays as it is.

    memedit edit correct ID "Lyon"

    memedit edit correct ID "Our refund window is 60 days."

    memedit edit correct ID --valid-until 2030-12-31

    memedit edit list tells the ids. To add the same prompt with another target corrects it, too.
    """
    given: dict[str, Any] = {
        "prompt": prompt, "subject": subject, "valid_from": valid_from, "valid_until": valid_until,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if text is None and not given:
        raise InvalidEditError(
            "What is right is missing.", hint="memedit edit correct ID TEXT; --help tells more."
        )
    with open_memory(require_existing(memory), encoder) as store, store.comparing():
        from memedit.model.amending import correct_by_default

        old = store.get(id, namespace=namespace)
        if text is not None:
            given |= read_text(old, text, given)
        edit, rest = alter(old, given)
        receipt = correct_by_default(store, old, edit, **rest)
    if json:
        render.as_json(plain_receipt(receipt))
    else:
        render.receipt(receipt, hide_password(memory))
        tell_open_days(receipt)
        if (place := place_of(old.source)) is not None:
            render.note(f"It stands in the document {place.document!r}: correct the file, too.")


def salvage(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines; import reads it.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The same as FILE.")
    ] = None,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """Write every edit that can still be read of a damaged memory to a file.

    memedit edit salvage rescued.jsonl
    """
    from memedit.memory.salvage import salvage as save

    if file is not None and out is not None:
        raise InvalidInputError("The file is given twice.", hint="As FILE or as --out.")
    if (to := file or out) is None:
        raise InvalidInputError("Where shall it go?", hint="memedit edit salvage FILE")
    report = save(Path(require_existing(memory)), to)
    if json:
        render.as_json(asdict(report) | {"file": str(to)})
        return
    render.say(f"Wrote {counted(report.saved, 'edit')} to {to}.")
    if report.altered:
        render.say(f"Altered, look at them: {_join_numbers(report.altered)}.")
    if report.lost:
        render.say(f"Lost: {_join_numbers(report.lost)}.")


def _join_numbers(sequences: Sequence[int]) -> str:
    shown = ", ".join(map(str, sequences[:_SHOWN]))
    return f"records {shown}{', ...' if len(sequences) > _SHOWN else ''}"
