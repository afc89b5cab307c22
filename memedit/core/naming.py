"""What a text names: the longest name in it, where nobody says what it is about."""

from __future__ import annotations

import re

_QUOTED = re.compile(r"[\"“«]([^\"”»]{2,80})[\"”»]")
_TOKEN = re.compile(r"[^\s\"“”«»?;:]+")
_CLOSING = frozenset("'’,.!")
_JOINING = frozenset("of the and & de la le du des del di da van von der den el al in on at to for "
                     "a an y und et with from".split())  # fmt: skip
_ASKING = frozenset(
    "who whom whose what which where when how why is are was were do does did has have had can "
    "could will would name tell give in on at by of for from to the a an under during into "
    "please during with".split()
)


def guess_subject(question: str) -> str | None:
    """The longest name in a text: in quotation marks, or a run of capitalised words; None if none.

    Small words may stand inside a name ("Bank of England"), the words questions begin with may
    not begin one.
    """
    if quoted := _QUOTED.findall(question):
        # The longest: short ones are often a word that is only stressed.
        return str(max(quoted, key=len)).strip() or None
    names = [name for name in _find_runs(question) if not name.isdigit()]
    return max(names, key=len) if names else None


def _find_runs(question: str) -> list[str]:
    """The runs of names in a text, small words between two of them included."""
    found: list[tuple[int, int]] = []
    open_ = False
    for n, match in enumerate(_TOKEN.finditer(question)):
        token = match.group()
        word = token.strip(".,'’()!")
        asking = n == 0 and word.casefold() in _ASKING
        if (word[:1].isupper() or word[:1].isdigit()) and not asking:
            end = match.start() + _end_of(token)
            found.append((found.pop()[0] if open_ else match.start(), end))
            open_ = True
        elif word.casefold() not in _JOINING:
            open_ = False
    return [_drop_unopened(question[a:b].strip("(,")) for a, b in found]


def _end_of(token: str) -> int:
    """Where a token ends without possessives and punctuation; from its end, in linear time."""
    end = len(token)
    while end:
        if token[end - 1] in _CLOSING:
            end -= 1
        elif end > 1 and token[end - 1] == "s" and token[end - 2] in "'’":
            end -= 2
        else:
            break
    return end


def _drop_unopened(name: str) -> str:
    return name.rstrip(")") if name.count(")") > name.count("(") else name
