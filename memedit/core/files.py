"""Files: where memedit keeps what it can make again, hashes, and writes that leave no half."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from memedit.core.errors import InvalidInputError


def cache_folder() -> Path:
    """``$MEMEDIT_CACHE``, else ``$XDG_CACHE_HOME/memedit``, else ``~/.cache/memedit``."""
    if own := os.environ.get("MEMEDIT_CACHE"):
        return Path(own).expanduser()
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "memedit"


def as_path(given: object, what: str = "A path") -> Path:
    """A path that the system can be asked for.

    Raises:
        InvalidInputError: it is none.
    """
    if not isinstance(given, str | os.PathLike):
        raise InvalidInputError(f"{what} is a text or a Path, not {type(given).__name__}.")
    try:
        name = os.fsencode(given)
    except UnicodeEncodeError:
        # Refused with those below: no file has such a name either.
        name = b"\0"
    if b"\0" in name or _is_too_long(name):
        raise InvalidInputError(f"{what} cannot be {str(given)[:60]!a}: no file has such a name.")
    return Path(os.fsdecode(name))


def _is_too_long(name: bytes) -> bool:
    try:
        os.lstat(name)
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def check_file(path: Path) -> None:
    """See that a path names a file.

    Raises:
        InvalidInputError: it names something else, or nothing.
    """
    if not path.is_file():
        raise InvalidInputError(f"{path} is not a file.", hint="Check the path.")


def read_file(path: Path) -> str:
    """The text of a file.

    Raises:
        InvalidInputError: it is no file (:func:`check_file`).
        OSError, UnicodeDecodeError: it cannot be read.
    """
    check_file(path)
    return path.read_text("utf-8")


def sha256(path: Path) -> str:
    """Hash of the file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def count_lines(file: Path) -> int | None:
    """Number of lines of a table or of JSON lines; None where lines do not say how many rows."""
    if file.suffix == ".json" or not file.is_file():
        return None
    # As bytes: a file that is no UTF-8 has lines, too.
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path to write a file to, which takes the place of ``file`` when the block ends.

    A reader finds the old content or the new, never a part of it, also after a power cut. Where the
    block raises, ``file`` stays as it was. A device or a pipe (``/dev/stdout``) is written to, and
    stays one.

    Raises:
        OSError: it cannot be written.
    """
    if is_stream(file):
        with reserve_path(Path(tempfile.gettempdir())) as new:
            yield new
            with new.open("rb") as written, file.open("wb") as stream:
                shutil.copyfileobj(written, stream)
        return
    with reserve_path(file.parent) as new:
        yield new
        put(new, file)


def is_stream(file: Path) -> bool:
    """Whether a path names a device, a pipe, or what a process has open, and no file of its own."""
    named = file.readlink() if file.is_symlink() else file
    opened = str(named).startswith(("/proc/", "/dev/fd/"))
    return opened or (file.exists() and not file.is_file() and not file.is_dir())


@contextmanager
def reserve_path(folder: Path) -> Iterator[Path]:
    """A path for a new file on the disk of ``folder``; what is left there at the end is removed.

    Its folder is new, of a name nobody knew: in a stranger's directory no link can lie in wait.

    Raises:
        OSError: it cannot be written, whichever library writes.
    """
    # In that folder: only within one disk does a rename happen at once.
    with tempfile.TemporaryDirectory(prefix=".new-", suffix=".tmp", dir=folder) as inside:
        with _as_os_error(Path(inside)):
            yield Path(inside) / "new"


@contextmanager
def _as_os_error(folder: Path) -> Iterator[None]:
    """safetensors has an error of its own for a disk that is full."""
    try:
        yield
    except Exception as error:
        from safetensors import SafetensorError

        if isinstance(error, SafetensorError):
            raise OSError(f"{str(folder)!r}: {error}") from error
        raise


def put(new: Path, file: Path) -> None:
    """Move a file into its place, once its content is on the disk."""
    with new.open("rb") as written:
        os.fsync(written.fileno())
    new.replace(file)


def write_atomically(file: Path, text: str) -> None:
    """:func:`replacing`, with a text in UTF-8. Half a character, as of a file's name that is no
    UTF-8, is written as its escape: in JSON it is read back."""
    with replacing(file) as new:
        new.write_text(text, "utf-8", "backslashreplace")


def open_text(file: Path) -> IO[str]:
    """A text file in UTF-8, unpacked where its name ends in ``.gz``.

    Raises:
        InvalidInputError: it is no file: a pipe would be waited for without end.
        OSError: it cannot be opened.
    """
    check_file(file)
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8")
    return file.open(encoding="utf-8")
