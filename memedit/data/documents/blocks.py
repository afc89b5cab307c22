"""What a document is made of, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from memedit.core.errors import InvalidInputError

Kind = Literal["heading", "text", "item", "table", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a document that stands for itself.

    Attributes:
        text: On one line; an item with its mark, a table a row a line, code as it is.
        level: Of a heading, from 1; of an item how deep it lies, from 0.
    """

    kind: Kind
    text: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """A document's blocks in order, and its title where it says one."""

    blocks: tuple[Block, ...]
    title: str = ""


def refuse_unreadable(kind: str, why: object) -> InvalidInputError:
    """The error of a file that is not what it says."""
    reason = " ".join(str(why).split())[:200]
    return InvalidInputError(
        f"The document cannot be read as {kind}: {reason}.",
        hint="Is it damaged, or of another format? Say which with its suffix.",
    )


def flatten(text: str) -> str:
    """``text`` on one line."""
    return " ".join(text.split())


def make_table(rows: list[list[str]]) -> Block | None:
    """A table as lines that can be read alone: "name: value; name: value", by its first row."""
    cells = [[flatten(cell) for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if len(cells) < 2:
        return Block("text", "; ".join(cell for cell in cells[0] if cell)) if cells else None
    names, lines = cells[0], list[str]()
    for row in cells[1:]:
        named = [*names[: len(row)], *[""] * (len(row) - len(names))]
        pairs = [f"{n}: {c}" if n else c for n, c in zip(named, row, strict=True) if c]
        lines.append("; ".join(pairs))
    return Block("table", "\n".join(lines))


def plain_contents(contents: Contents) -> dict[str, Any]:
    """As JSON data, from one process to another."""
    return {"title": contents.title, "blocks": [asdict(block) for block in contents.blocks]}


def contents_of(plain: Mapping[str, Any]) -> Contents:
    """What :func:`plain_contents` made plain."""
    return Contents(tuple(Block(**block) for block in plain["blocks"]), plain["title"])
