"""``memedit edit usage`` and ``report``: which edits are used, old, baseless or needed no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from memedit.cli import render
from memedit.cli.edits import AnyNamespace, Limit
from memedit.cli.options import (
    DEFAULT_MEMORY,
    EncoderName,
    Json,
    Memory,
    Model,
    open_memory,
    open_model,
    require_existing,
)
from memedit.core.errors import InvalidInputError
from memedit.core.types import DEFAULT_NAMESPACE
from memedit.memory.plain import plain_receipt, plain_use

if TYPE_CHECKING:
    from memedit.memory import EditMemory, Receipt
    from memedit.memory.using import EditUse
    from memedit.model.reviewing import Known

Stale = Annotated[
    int, typer.Option("--stale-after", min=0, metavar="DAYS", help="From which age on.")
]


def usage(
    stale_after: Stale = 180,
    limit: Limit = 20,
    namespace: AnyNamespace = None,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """Tell which old edits many answers rest on, and which edits never fired.

    Counted since this version of memedit answers; of a process that was killed, the last minute is
    missing. `memedit ask`, which only reads the memory, is not counted.

    memedit edit usage --stale-after 365
    """
    with open_memory(require_existing(memory), write=False) as store:
        found = _sort_uses(store, stale_after, namespace)
    if json:
        render.as_json(_plain_uses(*found))
    else:
        _tell_uses(*found, stale_after, limit)


def report(
    query: Annotated[
        str | None, typer.Argument(help="To teach an edit: the query, as it was asked.")
    ] = None,
    id: Annotated[str | None, typer.Argument(help="And the id of the edit.")] = None,
    miss: Annotated[
        bool | None, typer.Option("--miss/--false-fire", help="It should have fired, or not.")
    ] = None,
    check_base: Annotated[
        bool,
        typer.Option("--check-base", help="Also list edits that the model answers by itself."),
    ] = False,
    stale_after: Stale = 180,
    limit: Limit = 20,
    namespace: AnyNamespace = None,
    memory: Memory = DEFAULT_MEMORY,
    model: Model = None,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Review the edits in force; or, with QUERY and ID, teach one of them.

    Without arguments: old edits that many answers rest on, edits that never fired, edits that rest
    on what is no longer in force and, with --check-base, edits that the model answers rightly by
    itself, as after an upgrade.

    memedit edit report --check-base --model NEW

    memedit edit report "Which city is France governed from?" ID --miss
    """
    if query is not None:
        taught = _teach(query, id, miss, namespace or DEFAULT_NAMESPACE, (memory, encoder))
        if json:
            render.as_json(plain_receipt(taught))
            return
        verb = "answers" if miss else "leaves alone"
        render.say(f"{id} {verb} {query!r} from now on (version {taught.version}).")
        render.note("The opposite report undoes this.")
        return
    if miss is not None:
        raise InvalidInputError("Which query, and which edit?", hint="QUERY ID --miss")
    with open_memory(require_existing(memory), encoder, write=False) as store:
        found = _sort_uses(store, stale_after, namespace)
        baseless = store.groundless(namespace)
        known = _find_known(store, namespace, model) if check_base else None
    if json:
        told = _plain_uses(*found)
        told["rest_on_nothing"] = [{"id": r.id, "missing": list(ids)} for r, ids in baseless]
        if known is not None:
            told["base_knows"] = [{"id": k.record.id, "answer": k.answer} for k in known]
        render.as_json(told)
        return
    _tell_uses(*found, stale_after, limit)
    _list_uses(
        f"{len(baseless):,} edits rest on what is no longer in force",
        [f"{r.id}  {render.fact(r)}  (without {', '.join(ids)})" for r, ids in baseless],
        limit,
    )
    if known is not None:
        lines = [f"{k.record.id}  {render.fact(k.record)}" for k in known]
        _list_uses(f"{len(known):,} edits say what the model answers by itself", lines, limit)


def _teach(
    query: str, id: str | None, miss: bool | None, namespace: str, where: tuple[str, str | None]
) -> Receipt:
    if id is None or miss is None:
        raise InvalidInputError(
            "To teach an edit, its id and what was wrong are needed.",
            hint='memedit edit report "QUERY" ID --miss, or --false-fire.',
        )
    memory, encoder = where
    with open_memory(require_existing(memory), encoder) as store:
        return store.report(id, query, concerns=miss, namespace=namespace)


def _find_known(store: EditMemory, namespace: str | None, model: str | None) -> list[Known]:
    from memedit.model.reviewing import find_known_to_base

    records = [r for r in store.records(namespace) if not r.edit.is_statement]
    lm = open_model(model, store)
    with render.counting("Asking the model without its edits", len(records)) as progress:
        return find_known_to_base(lm, records, progress)


def _sort_uses(
    store: EditMemory, stale_after: int, namespace: str | None
) -> tuple[list[EditUse], list[EditUse], list[EditUse]]:
    """(all, the old ones that fired, those that never did)."""
    found = store.uses(namespace)
    stale = [each for each in found if each.count and each.age.days >= stale_after]
    never = sorted((each for each in found if not each.count), key=lambda each: each.added)
    return found, stale, never


def _plain_uses(found: list[EditUse], stale: list[EditUse], never: list[EditUse]) -> dict[str, Any]:
    return {
        "edits": len(found),
        "stale": [plain_use(each) for each in stale],
        "never_fired": [plain_use(each) for each in never],
    }


def _tell_uses(
    found: list[EditUse], stale: list[EditUse], never: list[EditUse], days: int, limit: int
) -> None:
    title = f"{len(stale):,} edits older than {days} days that answers rest on"
    _list_uses(title, [_line(each) for each in stale], limit)
    title = f"{len(never):,} of {len(found):,} edits never fired"
    _list_uses(title, [_line(each) for each in never], limit)


def _line(use: EditUse) -> str:
    last = "" if use.last is None else f", last on {use.last:%Y-%m-%d}"
    told = f"{use.age.days} days old, fired {use.count:,} times{last}"
    return f"{use.record.id}  {render.fact(use.record)}  ({told})"


def _list_uses(title: str, lines: list[str], limit: int) -> None:
    render.say(f"{title}{':' if lines else '.'}")
    for line in lines[: limit or None]:
        render.say(f"  {' '.join(line.splitlines())}")  # a passage has several
    if limit and len(lines) > limit:
        render.note(f"  {len(lines) - limit:,} more; --limit 0 shows all.")
