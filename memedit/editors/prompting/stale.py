"""Names that an edit put others in place of, and that a base says out of habit.

Under "Machu Picchu is located in Nepal" a base of 1.5B says Peru all the same. Where an answer is
about to begin the old name it begins the new one; which pairs that may be done to is said here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memedit.core.days import MONTHS, WEEKDAYS
from memedit.core.types import Hit
from memedit.editors.prompting.notes import core_of
from memedit.editors.prompting.wording import fold_words

_STATES = frozenset(
    "yes no none true false on off never always not open closed free paid included available"
    " possible allowed required optional one both all new full empty unlimited".split()
)
"""Values that are words of any answer."""
_FIRST_WORDS = frozenset(
    "new old san santa los las saint st. united south north west east great royal university"
    " professor prof. dr. dr mr. mrs. ms. mr mrs ms sir lord lady king queen prince princess mount"
    " lake river port fort cape hotel room hall building house school club bank café team lord pope"
    " general captain president red blue green black white grand central national republic".split()
)
"""Words with which many names begin."""
_SEVERAL = re.compile(r"\d|[,;/&]|\b(?:and|or)\b")
"""In a value that is more than one name, or none."""
_ASKS_FORMER = re.compile(
    r"\b(?:before|previous\w*|former\w*|predecessor\w*|used to|(?<!how )old|until|till|prior|"
    r"replac\w*|chang\w*|histor\w*|instead|no longer|earlier|ago|back then|at (?:first|the time)|"
    r"last (?:year|month|week|time)|in (?:19|20)\d\d|compar\w+|differ\w*|versus|vs)\b",
    re.IGNORECASE,
)
_LONGEST = 60
"""Characters of a name."""


def find_stale(words: str, said: str, hits: Sequence[Hit]) -> tuple[tuple[str, str], ...]:
    """Names that facts put others in place of, which a base may have known for long: (the old, the
    new one).

    Not one that is named, since an answer may deny it or say it of something else, nor where it is
    asked what was before. Of what the answer only depends on it is one name, which hardly is a part
    of anything else.

    Args:
        words: A user's.
        said: What the base reads beside them and the facts: a system prompt, earlier turns, other
            facts.
        hits: What is told.
    """
    if _ASKS_FORMER.search(words):
        return ()
    told = " ".join([words, said, *(hit.record.edit.statement for hit in hits)]).casefold()
    pairs = {
        (core_of(value.strip(" .")), core_of(hit.record.edit.target_new)): hit.role
        for hit in hits
        for value in hit.former
        if hit.record.edit.target_new is not None and hit.passage is None
        if not hit.record.edit.multiple
    }
    return tuple(
        (old, new)
        for (old, new), role in pairs.items()
        if _may_swap(old, new, told) and (role == "asks" or _is_own_name(old, new))
    )


def _may_swap(old: str, new: str, told: str) -> bool:
    """Whether what an old value begins with hardly begins anything else in an answer."""
    if not new or not 2 < len(old) <= _LONGEST or len(new) > _LONGEST:
        return False
    first, *rest = old.casefold().split()
    common = first in _STATES or (bool(rest) and first in _FIRST_WORDS)
    named = old.casefold() in told or (bool(rest) and first in fold_words(told))
    return not (common or named or _SEVERAL.search(f"{old}\n{new}"))


def _is_own_name(old: str, new: str) -> bool:
    """Whether two values are names, the old one a single word and no day or month."""
    capitals = old[:1].isupper() and new[:1].isupper()
    return capitals and " " not in old and old.casefold() not in {*WEEKDAYS, *MONTHS}
