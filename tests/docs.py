"""The pages of the documentation, and the code that stands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^( *)```(\w*)([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([\w.]+)"')
_ENDS = frozenset({">", "|", "&", "&&", ";", "||"})


@dataclass(frozen=True)
class Block:
    """Fenced code.

    Attributes:
        language: Says how it is tried. ``python`` runs, a page's blocks one after the other;
            ``console``: each command runs; ``py``, ``sh`` and ``bash`` need what is not here (a
            server, a GPU, data) and are read: names, options and syntax must be right; ``json``,
            ``toml`` and ``yaml`` are parsed; ``text`` is none.
        code: Its text.
        line: Where it begins in its page.
        file: Its name (``title="facts.jsonl"``), by which the commands of its page find it.
    """

    language: str
    code: str
    line: int
    file: str = ""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[Block]:
    """The code of a page in these languages; none: in all."""
    text = page.read_text("utf-8")
    found = []
    for each in _FENCE.finditer(text):
        titled = _TITLE.search(each.group(3))
        line = text.count("\n", 0, each.start()) + 1
        found.append(Block(each[2], each[4], line, titled[1] if titled else ""))
    return [each for each in found if not languages or each.language in languages]


def commands(code: str) -> list[list[str]]:
    """The words of each call of memedit in a shell's code, without what the shell does with it."""
    joined = code.replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        if not line.startswith("memedit "):
            continue
        words = shlex.split(line, comments=True)[1:]
        end = next((i for i, word in enumerate(words) if word in _ENDS), len(words))
        found.append(words[:end])
    return found
