"""A statement without what only leads to it: "Sorry, I meant parking is free now." says "Parking is
free."."""

from __future__ import annotations

import re

_LEAD = re.compile(
    r"(?:(?:oh|oops|wait|sorry|apologies|my (?:mistake|bad)|correction|corrected|update|updated|"
    r"actually|scratch that|note|please note|attention|news|important|reminder|fyi)"
    r"(?:[,:;.!]| ?[–—]| -)\s+|no(?:[,:;!]| ?[–—]| -)\s+|"
    r"(?:actually|(?:please )?note that|sorry|i meant?(?: to say)?(?: that)?|we meant(?: that)?|"
    r"(?:it|that|this) should (?:say|read)(?: that)?|from now on|as of now|as of today|"
    r"from today(?: on)?|starting now|effective immediately)[,:]? |"
    r"now,? (?!and\b|that\b))+",
    re.IGNORECASE,
)
_PRESENT = re.compile(
    r"(?<!\bby)(?<!\buntil)(?<!\btill)(?<!\bfor),? \b(?:now|currently|at present|nowadays|"
    r"from now on|as of now|as of today)\b(?! (?:that|and then|or)\b|[-'’])",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    r"\W*(?:oh|oops|no|wait|sorry|apologies|my (?:mistake|bad)|correction|corrected|scratch that|"
    r"i meant?|we meant|(?:it|that|this) should (?:say|read))\b",
    re.IGNORECASE,
)
_LEAST = 3
"""Words that are left at least."""


def drop_lead(statement: str) -> str:
    """The statement without the words that lead to it; as it is where little is left."""
    found = _LEAD.match(statement)
    if found is None:
        return statement
    left = statement[found.end() :]
    return left[:1].upper() + left[1:] if len(left.split()) >= _LEAST else statement


def drop_present(statement: str) -> str:
    """The statement without its words for the present, of which all statements speak."""
    left = _PRESENT.sub("", statement)
    return left if len(left.split()) >= _LEAST else statement


def takes_back(statement: str) -> bool:
    """Whether a statement begins as people correct themselves: "Sorry, I meant …"."""
    return _CORRECTS.match(statement) is not None and drop_lead(statement) != statement
