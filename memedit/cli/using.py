"""``memedit edit usage``: which edits are used, which never were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memedit.cli import render
from memedit.cli.edits import AnyNamespace, Limit
from memedit.cli.options import DEFAULT_MEMORY, Json, Memory, existing, open_memory
from memedit.memory.plain import plain_use

if TYPE_CHECKING:
    from memedit.memory.using import EditUse


def usage(
    stale_after: Annotated[
        int, typer.Option("--stale-after", min=0, metavar="DAYS", help="From which age on.")
    ] = 180,
    limit: Limit = 20,
    namespace: AnyNamespace = None,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """Tell which old edits many answers rest on, and which edits never fired.

    Counted since this version of memedit answers; of a process that was killed, the last minute is
    missing.

    memedit edit usage --stale-after 365
    """
    with open_memory(existing(memory), write=False) as store:
        found = store.uses(namespace)
    stale = [each for each in found if each.count and each.age.days >= stale_after]
    never = sorted((each for each in found if not each.count), key=lambda each: each.added)
    if json:
        rows = {"edits": len(found), "stale": stale, "never_fired": never}
        render.as_json({
            name: [plain_use(each) for each in value] if isinstance(value, list) else value
            for name, value in rows.items()
        })  # fmt: skip
        return
    _list_uses(
        f"{len(stale):,} edits older than {stale_after} days that answers rest on", stale, limit
    )
    _list_uses(f"{len(never):,} of {len(found):,} edits never fired", never, limit)


def _list_uses(title: str, uses: list[EditUse], limit: int) -> None:
    render.say(f"{title}{':' if uses else '.'}")
    for use in uses[: limit or None]:
        last = "" if use.last is None else f", last on {use.last:%Y-%m-%d}"
        told = f"{use.age.days} days old, fired {use.count:,} times{last}"
        render.say(f"  {use.record.id}  {use.record.edit.statement}  ({told})")
