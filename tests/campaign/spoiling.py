"""Files that are damaged: bits flipped, cut off, zeroed, swapped, with more at the end."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

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
