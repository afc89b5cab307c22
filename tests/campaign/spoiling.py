"""Files that are damaged: bits flipped, cut off, zeroed, swapped, with more at the end."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from memedit.core.errors import MemeditError
from tests.campaign.ledger import Round, say

Damage = Callable[[bytearray, random.Random], bytearray]


def _flip(content: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice((1, 1, 1, 2, 8, 32))):
        at = rng.randrange(len(content))
        content[at] ^= 1 << rng.randrange(8)
    return content


def _cut(content: bytearray, rng: random.Random) -> bytearray:
    return content[: rng.randrange(len(content))]


def _zero(content: bytearray, rng: random.Random) -> bytearray:
    size = min(len(content), rng.choice((1, 16, 512, 4_096)))
    at = rng.randrange(len(content) - size + 1)
    content[at : at + size] = bytes(size)
    return content


def _swap(content: bytearray, rng: random.Random) -> bytearray:
    size = min(len(content) // 2, rng.choice((1, 64, 4_096))) or 1
    at, to = sorted(rng.randrange(len(content) - size + 1) for _ in range(2))
    held = bytes(content[at : at + size])
    content[at : at + size] = content[to : to + size]
    content[to : to + size] = held
    return content


def _append(content: bytearray, rng: random.Random) -> bytearray:
    return content + rng.randbytes(rng.choice((1, 100, 5_000)))


DAMAGES: dict[str, Damage] = {
    "flipped": _flip, "cut": _cut, "zeroed": _zero, "swapped": _swap, "appended": _append,
}  # fmt: skip
_OFTEN = (6, 3, 1, 1, 1)


def spoil(file: Path, rng: random.Random) -> str:
    """Damage a file; how."""
    content = bytearray(file.read_bytes())
    name = rng.choices(list(DAMAGES), _OFTEN)[0]
    file.write_bytes(DAMAGES[name](content, rng))
    return name


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Attributes:
        name: Of the kind.
        source: What is copied: a folder, or a file.
        pattern: Which of its files are damaged, one at a time.
        look: Opens the copy's folder; whether a hash would have told. Raises MemeditError where it
            is refused.
    """

    name: str
    source: str
    pattern: str
    look: Callable[[Path], bool]


def try_damage(kind: Kind, root: Path, folder: Path, made: Round) -> str:
    """Damage one file of a kind in a copy, and open what it belongs to; what went wrong."""
    folder.mkdir()
    if (root / kind.source).is_dir():
        shutil.copytree(root / kind.source, folder / "it")
    else:
        (folder / "it").mkdir()
        shutil.copy(root / kind.source, folder / "it" / kind.source)
    file = made.rng.choice(sorted((folder / "it").glob(kind.pattern)))
    before = file.read_bytes()
    how = spoil(file, made.rng)
    same = before == file.read_bytes()
    made.counts.update(["damaged", how])
    try:
        hashed = kind.look(folder / "it")
    except MemeditError:
        made.counts["refused"] += 1
    except Exception as error:
        made.counts["failed"] += 1
        shutil.copytree(folder / "it", kept := root / f"failed-{folder.name}")
        told = f"{kind.name} {how}: {type(error).__name__}: {error!s:.300} (kept in {kept})"
        say(told)  # at once: a long run may be ended before its end
        return told
    else:
        made.counts["same bytes" if same else "right all the same" if hashed else "no hash"] += 1
    shutil.rmtree(folder)
    return ""
