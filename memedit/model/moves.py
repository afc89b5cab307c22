"""What edits say has moved, and questions about where that is: "We have moved to Park Lane 9.",
"Where is your office?"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memedit.core.text import words_of
from memedit.core.types import Record

_MOVED = re.compile(
    r"(?P<who>[\w'’-]+(?: [\w'’-]+){0,6}?)(?:['’]ve| has| have)?(?: now| just| recently| since)?"
    r"(?: been| were| was)? (?:moved|relocated|transferred) (?:from [^.,;:!?]{1,60}? )?(?:in)?to ",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"(?:(?:so|and|but|hi|hello|please)?,? )?(?:where (?:can|do|will) (?:i|we|you) find|"
    r"where(?:['’]s| exactly)?(?: is| are)?|what(?:['’]s| is) the (?:address|location) of|"
    r"how (?:do|can) i get to) (?P<what>[\w'’-]+(?: [\w'’-]+){0,6}?)"
    r"(?: now| located| based| situated| these days| nowadays)*\s?\?*$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"what(?:['’]s| is) (?P<what>your|[\w'’-]+(?: [\w'’-]+){0,6}?['’]s)(?: new| current)? "
    r"(?:address|location)\s?\?*$",
    re.IGNORECASE,
)
_HOUSES = frozenset(
    "office shop store practice studio premise headquarter headquarters restaurant café cafe salon "
    "gym clinic company firm branch business surgery place workshop showroom agency".split()
)
"""Where those are who say "we"."""
_SMALL = frozenset("the a an our your my his her their its of in at for s".split())
_OPENS = ("The ", "Our ", "Your")
_LONGEST = 200
"""Characters of an edit, or a question, that is looked at."""
_MOST = 40
"""Moves of a namespace that are looked at."""
_READ = 3
"""Readings of a question."""


@dataclass(frozen=True, slots=True)
class Move:
    """An edit that tells a move.

    Attributes:
        id: Of the edit.
        who: What moved, in the edit's words: "we", "the library".
    """

    id: str
    who: str

    def is_of(self, what: str) -> bool:
        """Whether a question about where something is asks for it."""
        asked, moved = _read_words(what), _read_words(self.who)
        if self.who.casefold() == "we":
            return asked == ["you"] or (len(asked) < 2 and {*asked} <= _HOUSES)
        # "the city library" is "the library" where there is one.
        return bool(asked) and asked[-1:] == moved[-1:] and {*asked} <= {*moved}


def find_moves(records: Iterable[Record]) -> tuple[Move, ...]:
    """The edits that tell a move, and what moved."""
    found = (
        Move(record.id, match["who"])
        for record in records
        if len(record.edit.statement) <= _LONGEST
        and (match := _MOVED.match(record.edit.statement)) is not None
    )
    return tuple(move for move, _ in zip(found, range(_MOST), strict=False))


def read_moves(turn: str, moves: Sequence[Move]) -> list[tuple[str, frozenset[str]]]:
    """A question about where something is, read as one about its move, with the ids of the edits
    that tell this; none of most."""
    if len(turn) > _LONGEST:
        return []
    asked = _ADDRESS.match(turn) or _WHERE.match(turn)
    if asked is None:
        return []
    what = re.sub(r"^your$", "you", asked["what"].removesuffix("'s").removesuffix("’s"), flags=re.I)
    said = [move for move in moves if move.is_of(what)][-_READ:]
    return [(_ask(move.who), frozenset((move.id,))) for move in said]


def _ask(who: str) -> str:
    if who.casefold() == "we":
        return "Where have you moved to?"
    named = re.sub(r"^our\b", "your", who[:1].lower() + who[1:] if who[:4] in _OPENS else who)
    return f"Where {'have' if named.endswith('s') else 'has'} {named} moved to?"


def _read_words(text: str) -> list[str]:
    return [word.rstrip("s") or word for word in words_of(text) if word not in _SMALL]
