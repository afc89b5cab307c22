"""What changed between two texts, word by word, and how many there are of something, for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from rich.text import Text

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_ALIKE = 0.6
"""Share of words in common from which one text is another's new wording."""
_NEAR = 4
"""How far apart the two may stand."""


def counted(number: int, what: str) -> str:
    """So many of something, as people write it: "1 edit", "1,024 edits"."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def tell_kept(queries: Sequence[str], excluded: Sequence[str]) -> list[str]:
    """What an edit has of what it replaced: the texts that find it, and those that do not."""
    told = list[str]()
    for said, texts in (("Is found by", queries), ("Leaves alone", excluded)):
        if texts:
            told.append(f"{said} what was given for it before: {'; '.join(texts)}")
    return told


def mark_changes(old: str, new: str) -> Text:
    """One text of both: what went as ``[-so-]``, what came as ``{+so+}``, in colour where there is
    any."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    found = Text()
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append("".join(before[a:b]))
            continue
        if gone := "".join(before[a:b]):
            found.append(f"[-{gone}-]", style="red")
        if came := "".join(after[c:d]):
            found.append(f"{{+{came}+}}", style="green")
    return found


def pair_rewordings(
    old: Sequence[tuple[int, str]], new: Sequence[tuple[int, str]]
) -> dict[int, int]:
    """Which old text a new one is another wording of: by the place of the new one that of the old.

    Args:
        old, new: (place in a list of both, text). Only texts that stand near are compared.
    """
    found: dict[int, int] = {}
    for at, text in new:
        near = [(place, said) for place, said in old if abs(place - at) <= _NEAR]
        rated = [
            (_rate_likeness(said, text), place)
            for place, said in near
            if place not in found.values()
        ]
        best, place = max(rated, default=(0.0, -1))
        if best >= _ALIKE:
            found[at] = place
    return found


def _rate_likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio()
