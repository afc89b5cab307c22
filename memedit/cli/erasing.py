"""``memedit edit purge``: erasure for good."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memedit.cli import render
from memedit.cli.options import (
    DEFAULT_MEMORY,
    Json,
    Memory,
    hide_password,
    open_memory,
    require_existing,
)
from memedit.cli.wording import counted
from memedit.core.errors import InvalidInputError, UnknownEditError
from memedit.core.files import read_file
from memedit.core.types import DEFAULT_NAMESPACE
from memedit.memory.address import check_output
from memedit.memory.plain import plain_record

if TYPE_CHECKING:
    from memedit.memory import Certificate, EditMemory

_SHOWN = 20
Wanted = tuple[list[str], dict[str, Any]]
"""Arguments of :meth:`EditMemory.purge`."""


def purge(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of edits.")] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Every edit about it, whatever its id.")
    ] = None,
    document: Annotated[
        str | None, typer.Option("--document", help="The passages of a document, all versions'.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace", metavar="NAME", help="Where they are; alone: all that is there."
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="What an earlier purge took: for a backup or a copy."),
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Go on with a purge that was interrupted.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this, only tell what would go.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Where the certificate goes.", show_default="purge-ID.json, here"
        ),
    ] = None,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """Erase edits for good: no version, no restore and no file of the memory brings them back.

    memedit edit purge 3f2a9c41d07be855 --yes

    memedit edit purge --subject "Ada Lovelace" --yes

    memedit edit purge --document leave --yes

    memedit edit purge --certificate purge-0b1c2d3e4f50.json --memory BACKUP --yes

    Exit code 1: nothing was purged, or something is still to be done.
    """
    if out is not None:
        check_output(out)
    named = (subject, document, namespace)
    if finish and (ids or certificate is not None or any(name is not None for name in named)):
        raise InvalidInputError("--finish goes on with what was asked before, and takes no more.")
    with open_memory(require_existing(memory), write=yes or finish) as store:
        if finish:
            done = store.finish_purge()
            if done is None and json:
                render.as_json({"purges": []})
                return
            if done is None:
                render.say(f"{hide_password(memory)} has no unfinished purge.")
                return
            _show_certificates([done], out, memory, json=json)
            return
        wanted = _choose_wanted(store, ids, named, certificate)
        if not yes:
            _preview(store, wanted, json=json)
            raise typer.Exit(1)  # a script that forgot --yes must not take it for done
        with render.working(f"Erasing in {hide_password(memory)}"):
            made = [store.purge(*ids, **rest) for ids, rest in wanted]
    _show_certificates(made, out, memory, json=json)


def _choose_wanted(
    store: EditMemory,
    ids: list[str] | None,
    named: tuple[str | None, str | None, str | None],
    certificate: Path | None,
) -> list[Wanted]:
    subject, document, namespace = named
    if certificate is not None:
        if ids or any(name is not None for name in named):
            raise InvalidInputError("--certificate says all that is to be purged.")
        return _read_certified(store, certificate)
    everything = not ids and subject is None and document is None and namespace is not None
    what = {"subject": subject, "document": document, "everything": everything}
    return [(ids or [], what | {"namespace": namespace or DEFAULT_NAMESPACE})]


def _read_certified(store: EditMemory, file: Path) -> list[Wanted]:
    """By namespace the ids of a certificate that this memory ever had."""
    by_namespace: dict[str, list[str]] = {}
    try:
        for each in jsonlib.loads(read_file(file))["records"]:
            by_namespace.setdefault(str(each["namespace"]), []).append(str(each["id"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInputError(f"{file} is no certificate of a purge: {error}.") from error
    wanted: list[Wanted] = []
    for namespace, ids in by_namespace.items():
        known = {e.record.id for e in store.history(namespace=namespace)}
        if here := [id for id in dict.fromkeys(ids) if id in known]:
            wanted.append((here, {"namespace": namespace}))
    if not wanted:
        raise UnknownEditError("None of the certificate's edits was ever in this memory.")
    return wanted


def _preview(store: EditMemory, wanted: list[Wanted], *, json: bool) -> None:
    plans = [store.preview_purge(*ids, **rest) for ids, rest in wanted]
    going = [record for plan in plans for record in plan.records]
    naming = [record for plan in plans for record in plan.mentions]
    if json:
        rows = {"records": going, "mentions": naming}
        render.as_json({k: [plain_record(r) for r in v] for k, v in rows.items()})
        return
    render.say(f"{counted(len(going), 'record')} would be erased, in force or not:")
    for record in going[:_SHOWN]:
        render.say(f"  {record.id}  {render.fact(record)}")
    if naming:
        render.say(f"{len(naming):,} others name the same subject and would stay:")
        for record in naming[:_SHOWN]:
            render.say(f"  {record.id}  {render.fact(record)}")
    if any(plan.unfinished for plan in plans):
        render.note("An earlier purge is unfinished: any purge, or --finish, goes on with it.")
    render.note("Nothing was erased: add --yes. There is no way back.", style="yellow")


def _show_certificates(
    made: list[Certificate], out: Path | None, memory: str, *, json: bool
) -> None:
    plain = [each.plain() for each in made]
    content = plain[0] if len(plain) == 1 else {"purges": plain}
    if json:
        render.as_json(content)
    if out is not None or not json:
        file = out or Path(f"purge-{made[0].purge}.json")
        try:
            file.write_text(jsonlib.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
        except OSError:  # it is made once: shown, rather than lost
            if not json:
                render.as_json(content)
            raise
        if not json:
            gone = counted(sum(len(each.records) for each in made), "record")
            render.say(f"Erased {gone} of {hide_password(memory)}. Certificate: {file}")
    problems = [problem for each in made for problem in each.problems]
    if problems and not json:
        for problem in problems:
            render.note(f"Still to be done: {problem}", style="yellow")
        render.note("memedit edit purge --finish goes on.")
    raise typer.Exit(1 if problems else 0)
