"""A backup says what it holds: hashes of every table and file, compared before it is brought back.

SQLite finds a torn page, not a flipped byte in a vector or a text: the hashes find both.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from memedit.core.errors import MemoryStoreError, UntrustedFileError
from memedit.core.files import sha256, write_atomically
from memedit.core.untrusted import read_json
from memedit.memory.address import quote
from memedit.memory.journal.copying import fingerprints
from memedit.memory.journal.journal import Journal
from memedit.memory.journal.reading import JournalReader

MANIFEST = "backup.json"
_FORMAT = 1
SETTINGS = "model.json"


def seal(folder: Path) -> None:
    """Write down what the memory in a directory holds.

    Raises:
        MemoryStoreError: there is none, or the file cannot be written.
    """
    journal = Journal(folder, read_only=True)
    try:
        with journal.read():
            version, tables = journal.head().version, fingerprints(journal)
    finally:
        journal.close()
    files = {name: sha256(folder / name) for name in (SETTINGS,) if (folder / name).is_file()}
    content = {"format": _FORMAT, "version": version, "tables": tables, "files": files}
    try:
        write_atomically(folder / MANIFEST, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise MemoryStoreError(f"{quote(folder)}: {error}.") from error


def find_altered(journal: JournalReader) -> list[str]:
    """What of a backup is not as it was sealed; nothing where nothing was. Needs an open read."""
    folder = journal.path
    if folder is None or not (folder / MANIFEST).exists():
        return []
    try:
        sealed = read_json(folder / MANIFEST)
        tables, files = dict(sealed["tables"]), dict(sealed["files"])
    except (UntrustedFileError, OSError, KeyError, TypeError, ValueError) as error:
        return [f"{MANIFEST} cannot be read: {error}"]
    found: dict[str, Any] = fingerprints(journal)
    wrong = sorted(name for name in found if tables.get(name) != found[name])
    meant = f"(delete {MANIFEST} if it was changed on purpose)"
    problems = [f"table {name} is not as the backup was made {meant}" for name in wrong]
    for name, expected in sorted(files.items()):
        # Only its last part: a stranger's manifest may name any path.
        file = folder / Path(name).name
        if not file.is_file() or sha256(file) != expected:
            problems.append(f"{name} is not as the backup was made")
    return problems
