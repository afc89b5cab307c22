"""Where a memory is: a directory, a database, or nowhere but in RAM."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from memedit.core.errors import InvalidInputError
from memedit.core.files import as_path, cache_folder
from memedit.core.types import check_named

Address = str | Path | None
"""A directory, a URL (``postgresql://``), or None for RAM."""
ASIDE = ".before-"
"""How the names of folders begin in which a restore puts a directory's old memory aside."""
ASIDE_LOCK = "lock"
"""What the restore holds in it meanwhile."""
JOURNAL = "journal.sqlite"
"""The file of a directory that holds its edits."""
OWN = (JOURNAL, "index", "model.json", "audit.jsonl", "serving.sqlite3", "serve-key")
"""How the names begin of what memedit writes into a memory's directory."""
POSTGRES = ("postgresql", "postgres")
"""The schemes of PostgreSQL's URLs."""
_URL = re.compile(r"[a-z][a-z0-9+.-]+://")
_PASSWORD = re.compile(r"(?i)(\bpassword=)[^&\s]*")


def is_url(address: Address) -> bool:
    """Whether a database is meant, and no directory."""
    return isinstance(address, str) and _URL.match(address) is not None


def check_address(address: object) -> None:
    """See that it may name a memory's place.

    Raises:
        InvalidInputError: nothing has such a name.
    """
    if not isinstance(address, str | os.PathLike | None):
        raise InvalidInputError(
            f"A memory is a directory or a URL, not {type(address).__name__}.",
            hint="EditMemory(path); None keeps everything in RAM.",
        )
    if isinstance(address, str) and is_url(address):
        check_named("the memory's URL", address)
    elif address is not None:
        as_path(address, "A memory's directory")


def is_postgres(address: Address) -> bool:
    """Whether a PostgreSQL database is meant."""
    return is_url(address) and str(address).partition("://")[0] in POSTGRES


def directory(address: Address) -> Path | None:
    """The memory's directory; None where it has none."""
    return None if address is None or is_url(address) else Path(address)


def check_output(file: Path) -> None:
    """See that a file that somebody names for a result may be written.

    Raises:
        InvalidInputError: it is a folder, lies in none, or is a part of a memory.
    """
    what = ""
    try:
        if file.is_dir():
            what = "is a folder"
        elif not file.absolute().parent.is_dir():
            what = f"lies in no folder: {file.parent}"
        # Such as /dev/stdout into another program: opening one that nobody reads would wait for
        # ever.
        elif file.is_fifo() and not _is_heard(file):
            what = "is a pipe that nobody reads"
        elif file.name.startswith(OWN) and (file.parent / JOURNAL).exists():
            what = "is a part of the memory there"
    except (OSError, ValueError) as error:  # a name that none can have
        what = str(error)
    if what:
        raise InvalidInputError(f"{file} cannot be written: it {what}.", hint="Name another file.")


def _is_heard(pipe: Path) -> bool:
    """Whether somebody reads a pipe: who writes to it would wait for that, without end."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def hide_password(address: Address) -> str:
    """The address for people and logs: never with a password."""
    if not is_url(address):
        return str(address)
    try:
        parts = urlsplit(str(address))
    except ValueError:  # it is none; what of it is a password nobody can tell
        return f"{str(address).partition('://')[0]}://..."
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}{at}{host}"
    # libpq takes a password there too.
    query = _PASSWORD.sub(r"\1***", parts.query)
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def quote(address: Address) -> str:
    """:func:`hide_password`, as it stands in messages."""
    return "in RAM" if address is None else f"at {hide_password(address)!r}"


def replica_folder(memory: str) -> Path:
    """Where this machine keeps index snapshots of the shared memory of this id:
    ``$MEMEDIT_REPLICA_DIR``, else a folder of the cache."""
    own = os.environ.get("MEMEDIT_REPLICA_DIR")
    return (Path(own) if own else cache_folder() / "replicas") / memory
