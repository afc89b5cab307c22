"""API keys: what each may do, for which namespace, how often. Kept in a file, hashed.

A key is ``mk_<id>_<secret>``. The secret has 256 random bits, so one round of SHA-256 is as good at
rest as a slow hash of a password would be; it is compared in constant time, and an unknown id takes
the same comparison. The file is read again when it changes: a key is revoked without a restart.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock, Timeout

from memedit.core.errors import InvalidInputError, MemeditError, MemoryStoreError
from memedit.core.files import is_stream, read_file, replacing
from memedit.core.registry import unknown_name
from memedit.core.types import DEFAULT_NAMESPACE, check_text

SCOPES = ("read", "ask", "edit", "admin")
"""read: list and export edits. ask: put questions. edit: change edits. admin: audit, metrics."""
KEY_MARK = "mk_"
"""How every key begins."""
ANY = "*"
"""The namespace of keys that may name one with every request."""
_NOBODY = hashlib.sha256(b"").hexdigest()
_FORMAT = 1
_PATIENCE = 30
"""Seconds that a change waits for another process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key as it is kept.

    Attributes:
        digest: SHA-256 of the secret, hexadecimal.
        scopes: Of :data:`SCOPES`; admin includes the others.
        namespace: The only one it sees, or :data:`ANY`.
        requests_per_minute, max_body: Limits; None: the server's.
    """

    id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    namespace: str = DEFAULT_NAMESPACE
    requests_per_minute: int | None = None
    max_body: int | None = None
    created: str = ""
    revoked: bool = False

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


def make_key(
    name: str,
    scopes: Iterable[str] = ("read", "ask"),
    *,
    namespace: str = DEFAULT_NAMESPACE,
    requests_per_minute: int | None = None,
    max_body: int | None = None,
) -> tuple[Key, str]:
    """(what is kept, the key itself, which is shown once).

    Raises:
        InvalidInputError: an unknown scope, an empty name, a limit below one.
    """
    chosen = tuple(scopes)
    check_scopes(chosen)
    check_text("name", name)
    check_text("namespace", namespace)
    for limit in (requests_per_minute, max_body):
        if limit is not None and limit < 1:
            raise InvalidInputError("A limit must be at least 1.")
    id, secret = secrets.token_hex(4), secrets.token_hex(32)
    key = Key(
        id=id,
        name=name,
        digest=_digest(secret),
        scopes=chosen,
        namespace=namespace,
        requests_per_minute=requests_per_minute,
        max_body=max_body,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    return key, f"{KEY_MARK}{id}_{secret}"


def check_scopes(chosen: Sequence[str]) -> None:
    """See that these are scopes of a key, one at least.

    Raises:
        InvalidInputError: they are not.
    """
    for scope in chosen:
        if scope not in SCOPES:
            raise InvalidInputError(str(unknown_name("scope", scope, SCOPES)))
    if not chosen:
        raise InvalidInputError("A key needs a scope.", hint=f"Of: {', '.join(SCOPES)}.")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class KeyRing:
    """Keys in force: those of a file, or those given, which live as long as the process.

    Raises:
        MemoryStoreError: the file cannot be read or is no key file.
    """

    def __init__(self, path: Path | None = None, keys: Iterable[Key] = ()) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._keys = {key.id: key for key in keys}
        self._seen: tuple[int, int, int] | None = None
        self.keys()

    def keys(self) -> list[Key]:
        """Every key, revoked ones too, as the file now says."""
        with self._lock:
            if self.path is not None:
                self._refresh(self.path)
            return list(self._keys.values())

    def _refresh(self, path: Path) -> None:
        try:
            status = path.stat()
        except FileNotFoundError:
            # A file that is gone lets nobody in.
            self._keys, self._seen = {}, None
            return
        # The inode, too: a file that was replaced within one tick of the clock may be as long as
        # before.
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            self._keys = {key.id: key for key in read(path)}
            self._seen = seen

    def find(self, presented: str) -> Key | None:
        """The key in force that was presented, if it is one."""
        self.keys()
        # After the file was looked at: the key may have been revoked a moment ago.
        mark, _, rest = presented.partition("_")
        id, _, secret = rest.partition("_")
        key = self._keys.get(id)
        kept = _NOBODY if key is None else key.digest
        same = hmac.compare_digest(_digest(secret), kept)
        return (
            key if same and key is not None and f"{mark}_" == KEY_MARK and not key.revoked else None
        )


def read(path: Path) -> list[Key]:
    """The keys of a file; none where there is no file.

    Raises:
        MemoryStoreError: it cannot be read or is no key file.
    """
    try:
        if not path.exists():
            return []
        content = json.loads(read_file(path))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}")
        return [Key(**item | {"scopes": tuple(item["scopes"])}) for item in content["keys"]]
    except OSError as error:
        raise MemoryStoreError(
            f"{str(path)!r} cannot be read: {error.strerror or error}.",
            hint="A key file is its owner's alone: run as the user who made it, or give it to "
            "the one that runs the server (chown).",
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MemoryStoreError(
            f"{str(path)!r} is not a key file: {type(error).__name__}.",
            hint="Make one: memedit keys add NAME --file FILE.",
        ) from None


def add(path: Path, key: Key) -> None:
    """Put one more key into the file, readable by its owner alone."""
    with _changing(path):
        _write(path, [*read(path), key])


def revoke(path: Path, id: str) -> Key:
    """Put a key out of force; a running server notices.

    Raises:
        InvalidInputError: no key has this id.
    """
    with _changing(path):
        keys = read(path)
        found = [key for key in keys if key.id == id]
        if not found:
            raise InvalidInputError(str(unknown_name("key", id, (key.id for key in keys))))
        gone = replace(found[0], revoked=True)
        _write(path, [gone if key.id == id else key for key in keys])
    return gone


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Alone with the file; what it cannot be changed for is told with its name."""
    # Beside what a process has open no lock can be made, and it would be waited for without end.
    if is_stream(path):
        raise InvalidInputError(f"{path} is no file.", hint="Name a file of keys, or a new one.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=_PATIENCE):
            yield
    except Timeout as error:
        raise MemoryStoreError(
            f"{path}.lock has been held by another process for {_PATIENCE} s.",
            hint="No key was changed. Try again when it has ended.",
        ) from error
    except MemeditError:  # some are OSErrors, and say what to do already
        raise
    except OSError as error:
        raise MemoryStoreError(
            f"{str(path)!r} cannot be written: {error.strerror or error}.",
            hint="No key was changed. Check its folder, whose it is, and the free space.",
        ) from error


def _write(path: Path, keys: Iterable[Key]) -> None:
    content = {"format": _FORMAT, "keys": [asdict(key) for key in keys]}
    with replacing(path) as new:
        # Its owner's alone from the first moment: restricted afterwards, it could be opened in
        # between.
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
