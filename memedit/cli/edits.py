"""``memedit edit``: what is in the memory, shown and changed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from memedit.cli import render
from memedit.cli.dated import count_open_days, tell_open_days
from memedit.cli.groups import EditCommands
from memedit.cli.memories import verify
from memedit.cli.options import (
    DEFAULT_MEMORY,
    EncoderName,
    Json,
    Memory,
    Model,
    Namespace,
    Unused,
    hide_password,
    name_place,
    open_memory,
    open_model,
    parse_moment,
    require_existing,
)
from memedit.cli.wording import counted
from memedit.core.documents import check_source
from memedit.core.errors import InvalidEditError, UnknownEditError
from memedit.core.files import count_lines
from memedit.core.types import DEFAULT_NAMESPACE, Edit
from memedit.memory.plain import plain_event, plain_receipt, plain_record, plain_report

_LIMIT = 50
edit_app = typer.Typer(
    cls=EditCommands,
    help="Add, list and take back edits. No language model is loaded, but by compile.",
    no_args_is_help=True,
)
AnyNamespace = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="Only this namespace.", show_default="all"),
]
Limit = Annotated[int, typer.Option("--limit", min=0, metavar="N", help="At most N; 0: all.")]
Source = Annotated[str, typer.Option("--source", help="Where the fact comes from.")]
Since = Annotated[
    date | None,
    typer.Option(
        "--valid-from",
        parser=parse_moment,
        metavar="DATE",
        help="First day (or moment) it holds.",
    ),
]
Until = Annotated[
    date | None,
    typer.Option(
        "--valid-until",
        parser=parse_moment,
        metavar="DATE",
        help="Last day it holds, or the moment it ends.",
    ),
]


def _edit(prompt: str | None, target: str | None, statement: str | None, **rest: Any) -> Edit:
    if statement is not None and (prompt is not None or target is not None):
        raise InvalidEditError("--statement stands alone.", hint="Or give PROMPT and TARGET.")
    if (text := prompt if statement is None else statement) is None:
        raise InvalidEditError(
            "There is no fact to add.",
            hint='memedit edit add "The capital of France is" Lyon --subject France',
        )
    return Edit(text, target, **rest)


@edit_app.command()
def add(
    prompt: Annotated[
        str | None, typer.Argument(help="A prompt, or a whole statement when no TARGET is given.")
    ] = None,
    target: Annotated[str | None, typer.Argument(help="What shall follow the prompt.")] = None,
    target_option: Annotated[
        str | None, typer.Option("--target", metavar="TEXT", help="The same as TARGET.")
    ] = None,
    statement: Annotated[
        str | None, typer.Option("--statement", metavar="TEXT", help="A fact as one sentence.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="What the fact is about, as in the prompt.")
    ] = None,
    target_true: Annotated[
        str | None, typer.Option("--target-true", help="What the model says without the edit.")
    ] = None,
    queries: Annotated[
        list[str] | None,
        typer.Option("--query", metavar="TEXT", help="A further wording to recognise. Repeatable."),
    ] = None,
    multiple: Annotated[
        bool | None,
        typer.Option(
            "--multiple/--single",
            help="One of several values, or the only one.",
            show_default="as its relation has them",
        ),
    ] = None,
    because_of: Annotated[
        list[str] | None,
        typer.Option("--because-of", metavar="ID", help="An edit that it rests on. Repeatable."),
    ] = None,
    valid_from: Since = None,
    valid_until: Until = None,
    source: Source = "",
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Add a fact: a prompt and what shall follow it, or a statement.

    memedit edit add "The capital of France is" Lyon --subject France

    memedit edit add "Our refund window is 60 days."
    """
    if target is not None and target_option is not None:
        raise InvalidEditError("The target is given twice.", hint="As TARGET or as --target.")
    new = _edit(
        prompt,
        target if target_option is None else target_option,
        statement,
        subject=subject,
        target_true=target_true,
        queries=tuple(queries or ()),
        because_of=tuple(because_of or ()),
    )
    with open_memory(memory, encoder) as store:
        from memedit.model.amending import add_by_default
        from memedit.model.several import apply_default

        receipt = add_by_default(
            store,
            apply_default(new, store.encoder, multiple),
            namespace,
            source=check_source(source),
            valid_from=valid_from,
            valid_until=valid_until,
        )
    if json:
        render.as_json(plain_receipt(receipt))
    else:
        render.receipt(receipt, hide_password(memory))
        if multiple is None and receipt.record.edit.multiple:
            render.note("Taken as one of several values; --single says that there is only one.")
        tell_open_days(receipt)


@edit_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSONL, JSON, CSV or TSV file of edits.")],
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="For lines that name none.")
    ] = DEFAULT_NAMESPACE,
    source: Source = "",
    compare: Annotated[
        bool, typer.Option("--compare", help="Each line with what is in force, in other words.")
    ] = False,
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Add the edits of a file. Refused lines are listed; an interrupted import can be repeated.

    Exit code 1 when every line was refused.

    memedit edit import facts.csv --source handbook
    """
    with open_memory(memory, encoder) as store:
        if compare:
            from memedit.model.importing import compare_by_default
        try:
            with render.counting(f"Importing {file.name}", count_lines(file)) as progress:
                report = store.import_file(
                    file, namespace=namespace, source=source, progress=progress,
                    compare=compare_by_default(store) if compare else None,
                )  # fmt: skip
        except KeyboardInterrupt:
            render.note(
                f"Interrupted: {hide_password(memory)} holds {counted(len(store), 'edit')} at "
                f"version {store.version}. Run the same command again to go on.",
                style="yellow",
            )
            raise typer.Exit(130) from None  # as shells say of SIGINT
        version = store.version
    if json:
        render.as_json(plain_report(report, version))
    else:
        render.import_report(report, hide_password(memory))
        count_open_days(report)
        if report.change:
            render.note(f"memedit edit undo {report.change} takes all of it back, also later.")
    if report.refused_total and not report.added and not report.duplicate:
        raise typer.Exit(1)


@edit_app.command("list")
def list_(
    match: Annotated[
        str | None, typer.Option("--match", metavar="TEXT", help="Only facts that contain TEXT.")
    ] = None,
    limit: Limit = _LIMIT,
    namespace: AnyNamespace = None,
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    json: Json = False,
) -> None:
    """List the edits in force, newest first.

    memedit edit list --match Acme --limit 10
    """
    with open_memory(require_existing(memory), write=False) as store:
        wanted = (match or "").casefold()
        found = [r for r in store.records(namespace) if wanted in r.edit.statement.casefold()]
        version = store.version
    newest = found[::-1][: limit or None]  # 0: all of them
    if json:
        rows = [plain_record(r) for r in newest]
        render.as_json({"version": version, "total": len(found), "edits": rows})
    else:
        render.records(newest, len(found), where=name_place(memory, namespace, match))


@edit_app.command()
def show(
    id: Annotated[str, typer.Argument(help="Id of an edit.")],
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    json: Json = False,
) -> None:
    """Show one edit and what happened to it.

    memedit edit show ID
    """
    with open_memory(require_existing(memory), write=False) as store:
        record = store.get(id, namespace=namespace)
        events = store.history(id, namespace=namespace)
    if json:
        happened = [plain_event(e) for e in events]
        render.as_json(plain_record(record) | {"history": happened})
    else:
        render.record(record, events)


@edit_app.command()
def forget(
    ids: Annotated[list[str], typer.Argument(help="Ids of edits.")],
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    json: Json = False,
) -> None:
    """Take edits back: the model answers as if they had never been added.

    memedit edit forget ID ID
    """
    with open_memory(require_existing(memory)) as store:
        gone = store.forget_many(ids, namespace=namespace)
        version, resting = store.version, store.resting_on(gone)
    if json:
        rows, left = ([plain_record(r) for r in each] for each in (gone, resting))
        render.as_json({"version": version, "forgotten": rows, "may_rest": left})
        return
    for record in gone:
        render.say(f"Forgotten {record.id}: {render.fact(record)}")
    render.resting(resting)
    render.note(
        f"{hide_password(memory)} is at version {version}; "
        f"memedit edit restore {version - 1} undoes this."
    )


@edit_app.command()
def history(
    id: Annotated[str | None, typer.Argument(help="Id of an edit; without one, all.")] = None,
    limit: Limit = _LIMIT,
    namespace: AnyNamespace = None,
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    json: Json = False,
) -> None:
    """Tell what happened to the memory, or to one edit.

    memedit edit history --limit 0
    """
    with open_memory(require_existing(memory), write=False) as store:
        events = store.history(id, namespace=namespace)
    if id is not None and not events:
        raise UnknownEditError(
            f"There has been no edit {id!r} in {name_place(memory, namespace)}.",
            hint="memedit edit list shows the ids there are, memedit edit history all there were.",
        )
    last = events[-limit:] if limit else events
    if json:
        rows = [plain_event(e) for e in last]
        render.as_json({"total": len(events), "events": rows})
    else:
        render.history(last, len(events))


@edit_app.command()
def restore(
    version: Annotated[int, typer.Argument(min=0, help="A version, as history tells them.")],
    namespace: AnyNamespace = None,
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    json: Json = False,
) -> None:
    """Bring back the edits in force at an earlier version, as a new version.

    memedit edit restore 12
    """
    with open_memory(require_existing(memory)) as store:
        now = store.restore(version, namespace=namespace)
        purged = store.count_purged(version, namespace=namespace)
        open_ = store.find_unanswered(version, namespace=namespace)
        held = len(store) if namespace is None else len(list(store.records(namespace)))
    if json:
        told = {"restored": version, "version": now, "edits": held, "purged": purged}
        render.as_json(told | {"unanswered": [plain_record(r) for r in open_]})
    else:
        whose = "" if namespace is None else f" in {namespace!r}"
        but = f", but for {purged:,} that were purged since" if purged else ""
        render.say(
            f"{hide_password(memory)} holds{whose} what was in force at version {version}{but}: "
            f"{counted(held, 'edit')} (version {now})."
        )
        render.resting(open_, "was replaced by what was purged; add it anew if it shall hold")


@edit_app.command()
def export(
    file: Annotated[Path, typer.Argument(help="JSON lines; import reads it.")],
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    json: Json = False,
) -> None:
    """Write the edits in force to a file.

    memedit edit export facts.jsonl
    """
    with (
        open_memory(require_existing(memory), write=False) as store,
        render.working(f"Writing {file}"),
    ):
        count = store.export(file)
    if json:
        render.as_json({"file": str(file), "edits": count})
    else:
        render.say(f"Wrote {counted(count, 'edit')} to {file}.")


edit_app.command("verify", hidden=True)(verify)  # the same as memedit verify


@edit_app.command()
def reembed(
    memory: Memory = DEFAULT_MEMORY,
    encoder: EncoderName = None,
    model: Unused = None,
    json: Json = False,
) -> None:
    """Encode every edit anew, with another sentence encoder.

    memedit edit reembed --encoder sentence-transformers/all-mpnet-base-v2
    """
    from memedit.engine.encoders import load_encoder

    with open_memory(require_existing(memory)) as store, render.working("Encoding every edit anew"):
        new = load_encoder(encoder)
        store.reembed(new)
        count = len(store)
    if json:
        render.as_json({"encoder": new.id, "edits": count})
    else:
        render.say(f"{hide_password(memory)} now uses {new.id} for its {counted(count, 'edit')}.")


@edit_app.command("compile")
def compile_(
    editor: Annotated[str, typer.Option("--editor", metavar="NAME", help="See memedit editors.")],
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="NAME", help="As the edits will be used.")
    ] = None,
    memory: Memory = DEFAULT_MEMORY,
    model: Model = None,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Fit the edits in memory for an editor, once; else every process fits what it is asked for.

    What is fitted stays when it is interrupted, but for editors of weights with
    --scope everything: their edits are fitted together.

    memedit edit compile --editor rome --scope everything
    """
    with open_memory(require_existing(memory), encoder) as store:
        lm = open_model(model, store, editor=editor, scope=scope)
        try:
            with render.counting(f"Fitting for {editor}", len(store)) as progress:
                fitted = lm.compile_edits(progress=progress)
        except KeyboardInterrupt:
            render.note("Interrupted. Run the same command again to go on.", style="yellow")
            raise typer.Exit(130) from None
        left = lm.unusable()
    if json:
        render.as_json({"editor": editor, "fitted": fitted, "left": [r.id for r in left]})
        return
    render.say(f"Fitted {counted(fitted, 'edit')} for {editor}.")
    if left:
        render.note(f"{len(left):,} cannot be: they lack a subject or a target.", style="yellow")
