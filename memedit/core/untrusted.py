"""Files that may be a stranger's: bounded, never a link or a device, shapes checked before memory.

A memory directory, an adapter or a scope may come from anyone. Reading one must cost no more than
its size, and must neither run nor overwrite anything. Nothing here builds objects by name.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from memedit.core.errors import UntrustedFileError

if TYPE_CHECKING:
    from torch import Tensor

MOST_JSON = 64 << 20
"""Bytes of a manifest or settings file."""
_MOST_HEADER = 16 << 20  # of a safetensors file; the format's own limit is 100 MB
_LENGTH = 8  # bytes in which a safetensors file says how long its header is
PLACE = Path(__file__).resolve().parents[2]
"""Where a process of ours begins: Python looks for modules there first, and where the command was
started may lie a stranger's ``json.py``."""


def check_plain(path: Path) -> os.stat_result:
    """The status of a regular file.

    Raises:
        UntrustedFileError: it is a link, a device, a pipe or a directory.
        FileNotFoundError: there is none.
    """
    # Not stat, which would follow a link to wherever a stranger points it.
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise UntrustedFileError(
            f"{str(path)!r} is {_kind(found.st_mode)}, not a file.",
            hint="Put the file itself there: what a link names is never read or written.",
        )
    return found


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "a directory" if stat.S_ISDIR(mode) else "a device or pipe"


def check_folder(folder: Path, prefixes: tuple[str, ...] = ("",)) -> None:
    """Refuse a folder in which something is neither a plain file nor a folder of plain files.

    Args:
        folder: What is missing is fine.
        prefixes: Only entries whose names begin so are looked at.

    Raises:
        UntrustedFileError: naming the first one.
    """
    left = [entry for entry in _entries(folder) if entry.name.startswith(prefixes)]
    for entry in left:  # which grows: folders may lie deeper than functions may call themselves
        if entry.is_dir(follow_symlinks=False):
            left += _entries(entry.path)
        else:
            with suppress(FileNotFoundError):  # gone since
                check_plain(Path(entry.path))


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    with suppress(FileNotFoundError):
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    return []


def read_bytes(path: Path, most: int = MOST_JSON) -> bytes:
    """The content of a regular file of at most ``most`` bytes.

    Raises:
        UntrustedFileError: it is larger, or no regular file (:func:`check_plain`).
        OSError: it cannot be read.
    """
    check_plain(path)
    with path.open("rb") as file:
        # One byte more tells that there is more: what the size was a moment ago may be true no
        # longer.
        content = file.read(most + 1)
    if len(content) > most:
        raise UntrustedFileError(f"{str(path)!r} is larger than {most:,} bytes.")
    return content


def parse_json(content: str | bytes, name: str = "The text") -> Any:
    """What JSON says.

    Raises:
        UntrustedFileError: it is no JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UntrustedFileError(f"{name} is no JSON: {reason}.") from None


def read_json(path: Path, most: int = MOST_JSON) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UntrustedFileError: it is too large, no regular file, or holds no JSON object.
        OSError: it cannot be read.
    """
    content = parse_json(read_bytes(path, most), repr(str(path)))
    if not isinstance(content, dict):
        raise UntrustedFileError(f"{str(path)!r} holds no JSON object.")
    return content


def check_tensors(path: Path) -> None:
    """Refuse what is no safetensors file, before anything of its size is allocated.

    That the declared types and shapes fill the file exactly is the library's own check; here, that
    the file is plain and that its header is not a burden of its own.

    Raises:
        UntrustedFileError: a link, no file, or a header that does not fit into it.
        OSError: it cannot be read.
    """
    size = check_plain(path).st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
    if not 2 <= length <= min(_MOST_HEADER, size - _LENGTH):
        raise UntrustedFileError(
            f"{str(path)!r} is no safetensors file: a header of {length:,} bytes in {size:,}."
        )


@contextmanager
def open_tensors(path: Path, framework: Literal["np", "pt"]) -> Iterator[Any]:
    """An open safetensors file (``safetensors.safe_open``) that passed :func:`check_tensors`.

    Raises:
        UntrustedFileError: it is none; also what is read within the block.
    """
    from safetensors import SafetensorError, safe_open

    check_tensors(path)
    try:
        with safe_open(path, framework) as opened:
            yield opened
    except SafetensorError as error:
        raise UntrustedFileError(f"{str(path)!r} is no safetensors file: {error}.") from None


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file, by name.

    Raises:
        UntrustedFileError: it is none.
        OSError: it cannot be read.
    """
    with open_tensors(path, "pt") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}
