"""``memedit migrate``, ``backup``, ``restore``, ``verify`` and ``tenants``: memories as a whole."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memedit.cli import render
from memedit.cli.options import DEFAULT_MEMORY, Memory, Unused, hide_password, require_existing
from memedit.cli.wording import counted
from memedit.core.errors import (
    InvalidInputError,
    MemeditError,
    MemoryStoreError,
    UntrustedFileError,
)

if TYPE_CHECKING:
    from memedit.memory import EditMemory
    from memedit.memory.journal.copying import MigrationReport
    from memedit.serving.ledger.audit import AuditReport

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="The target's content goes, in the same step.")
]
tenants_app = typer.Typer(
    help="Database roles that may read one namespace of a memory in PostgreSQL, and nothing else.",
    no_args_is_help=True,
)


def migrate(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A directory or URL.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A directory or URL.")],
    replace: Replace = False,
    json: Json = False,
) -> None:
    """Copy a memory with its history between a directory and PostgreSQL, and verify the copy.

    memedit migrate memory postgresql://memedit@db/memedit
    """
    _show_migration(_copy_memory(source, target, replace=replace), source, target, json=json)


def backup(
    target: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="New directory.", show_default="backup-TIME"),
    ] = None,
    memory: Memory = DEFAULT_MEMORY,
    json: Json = False,
) -> None:
    """Copy a memory, in one consistent state, into a directory. Servers may go on writing.

    memedit backup /backups/2026-05-01 --memory indexes/prod
    """
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    folder = str(target or f"backup-{now}")
    # Within: outside of it the name is this command's.
    from memedit.memory.moving import backup

    with render.counting(f"Copying {hide_password(memory)}", None) as progress:
        report = backup(memory, Path(folder), progress=progress)
    _show_migration(report, memory, folder, json=json)


def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="A backup.")],
    memory: Memory = DEFAULT_MEMORY,
    replace: Replace = False,
    json: Json = False,
) -> None:
    """Bring a backup back. With --replace running servers go over to it in one step.

    To take back recent edits, memedit edit restore VERSION is the lighter way.

    memedit restore /backups/2026-05-01 --memory indexes/prod --replace
    """
    if not source.is_dir():
        raise InvalidInputError(f"There is no backup at {str(source)!r}.", hint="Check the path.")
    from memedit.memory.moving import restore

    with render.counting(f"Copying {hide_password(str(source))}", None) as progress:
        report = restore(source, memory, replace=replace, progress=progress)
    _show_migration(report, str(source), memory, json=json)


def verify(
    place: Annotated[
        str | None,
        typer.Argument(metavar="DIR|URL", help="The same as --memory.", show_default=False),
    ] = None,
    memory: Memory = DEFAULT_MEMORY,
    model: Unused = None,
    json: Json = False,
) -> None:
    """Check a memory or a backup: hashes, keys, vectors, index; and the audit log of its server.

    Exit code 0: it is sound; 1: something is wrong with it; 2: there is no memory, or none that one
    may read, or its database cannot be reached.

    A log that was signed is compared with the key in MEMEDIT_AUDIT_KEY.

    memedit verify /backups/2026-05-01
    """
    from memedit.memory import EditMemory, VerifyReport
    from memedit.serving.ledger.audit import AuditReport

    memory = place or memory
    place, digest, log = require_existing(memory), "", AuditReport(0, signed=False, problems=())
    try:
        with (
            EditMemory(place, read_only=True) as store,
            render.working(f"Checking {hide_password(memory)}"),
        ):
            report, digest, log = store.verify(), store.digest(), _audit(store)
    except (MemoryStoreError, UntrustedFileError) as error:  # too damaged to be opened
        if _is_closed(place, error):
            raise
        report = VerifyReport(0, 0, 0, (str(error),))
    problems = [*report.problems, *(f"audit log: {problem}" for problem in log.problems)]
    if json:
        plain = {"version": report.version, "edits": report.records, "keys": report.keys}
        found = {"digest": digest, "problems": problems}
        audit = {"lines": log.lines, "signed": log.signed, "unsigned": log.unsigned}
        render.as_json({"ok": not problems} | plain | found | {"audit": audit})
    else:
        render.verify_report(replace(report, problems=tuple(problems)), hide_password(memory))
        if log.signed and log.unsigned:
            before = f"{log.unsigned:,} of {log.lines:,} lines of the audit log come"
            render.note(f"{before} before the first signed one: the key says nothing of them.")
    raise typer.Exit(1 if problems else 0)


def _is_closed(place: str, error: MemeditError) -> bool:
    """Whether nothing was found out: who may not read a memory, or does not reach its database,
    knows nothing of damage in it."""
    from memedit.memory.address import JOURNAL, is_url
    from memedit.memory.journal.postgres import is_unread

    if is_url(place):
        return is_unread(error)
    if isinstance(error.__cause__, PermissionError):
        return True
    try:
        (Path(place) / JOURNAL).open("rb").close()
    except FileNotFoundError:
        return not any(Path(place).iterdir())  # beside other files its lack is damage
    except OSError as reason:
        return isinstance(reason, PermissionError)
    return False


def _audit(store: EditMemory) -> AuditReport:
    """What the audit log beside a memory says, and whether it is whole."""
    from memedit.serving.ledger.audit import KEY, AuditLog, AuditReport
    from memedit.serving.ledger.tables import tables_of

    # From the environment: everybody on the machine can read a program's arguments.
    key, tables = os.environ.get(KEY), tables_of(store)
    try:
        return AuditLog.of(store, tables, key.encode() if key else None).verify()
    except MemeditError as error:
        if _is_closed(str(store.address), error):
            raise
        return AuditReport(0, signed=False, problems=(error.message,))
    finally:
        tables.close()


def _copy_memory(source: str, target: str, *, replace: bool) -> MigrationReport:
    from memedit.memory.moving import migrate

    with render.counting(f"Copying {hide_password(source)}", None) as progress:
        return migrate(source, target, replace=replace, progress=progress)


def _show_migration(report: MigrationReport, source: str, target: str, *, json: bool) -> None:
    if json:
        render.as_json(
            asdict(report) | {"source": hide_password(source), "target": hide_password(target)}
        )
        return
    render.say(
        f"{hide_password(target)} holds {hide_password(source)} as of version {report.version}: "
        f"{counted(report.rows['records'], 'record')}, {counted(report.rows['events'], 'event')}. "
        "Every row was read back and is equal."
    )


def zone(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help='"UTC", or such as "Europe/Berlin".')
    ] = None,
    memory: Memory = DEFAULT_MEMORY,
) -> None:
    """Show or set the time zone in which a memory reads dates; what is stored stays as it is.

    memedit zone Europe/Berlin
    """
    from memedit.memory import EditMemory

    with EditMemory(memory, read_only=name is None) as store:
        if name is not None:
            store.set_zone(name)
        render.say(str(store.zone))


@tenants_app.command("grant")
def grant(
    role: Annotated[str, typer.Argument(help="A role of the database: CREATE ROLE name LOGIN.")],
    namespace: Annotated[str, typer.Argument(help="What it may read; '*': everything.")],
    memory: Memory = DEFAULT_MEMORY,
) -> None:
    """Let a database role read a namespace.

    memedit tenants grant shop_reader shop --memory postgresql://memedit@db/memedit
    """
    from memedit.memory.journal.tenants import grant

    grant(memory, role, namespace)
    render.say(f"Role {role} may read namespace {namespace!r} of {hide_password(memory)}.")


@tenants_app.command("revoke")
def revoke(
    role: Annotated[str, typer.Argument(help="A role of the database.")],
    namespace: Annotated[str, typer.Argument(help="What it may read no longer.")],
    memory: Memory = DEFAULT_MEMORY,
) -> None:
    """Take the right to read a namespace back.

    memedit tenants revoke shop_reader shop --memory postgresql://memedit@db/memedit
    """
    from memedit.memory.journal.tenants import revoke

    revoke(memory, role, namespace)
    render.say(
        f"Role {role} may no longer read namespace {namespace!r} of {hide_password(memory)}."
    )


@tenants_app.command("list")
def list_tenants(memory: Memory = DEFAULT_MEMORY, json: Json = False) -> None:
    """Tell which database role may read which namespace.

    memedit tenants list --memory postgresql://memedit@db/memedit
    """
    from memedit.memory.journal.tenants import granted

    found = granted(memory)
    if json:
        render.as_json([{"role": role, "namespace": name} for role, name in found])
    else:
        render.say(
            "\n".join(f"{role}: {name}" for role, name in found) or "No role was granted any."
        )
