"""Turns that leave out what the question before them said: "And the CTO?", "and HR?", "in winter?".

Such a turn takes the last question for its own, with its own words in the place of some of that
one's. In which place, its words do not always tell; so every reading is tried, and what an edit
says to one of them, and did not say to the question before, is what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memedit.core.questions import find_last_question

_MOST, _MOST_WORDS = 4, 6
"""Readings of a turn, and words that it may have beside its conjunction."""
_PRAISE = (
    r"(?:great|thanks|thank you|ok|okay|cool|perfect|good|hm+|alright|all right|fine|oh|ah|right|"
    r"nice|lovely|super|got it)"
)
_ELLIPSIS = re.compile(
    rf"(?:{_PRAISE}[,.!]? ){{0,2}}(?:(?:and |or |but )?(?:what|how) about|and|or|but|same for)"
    r" {1,3}(?:(?P<at>of|for|in|at|to|on|with) )?(?P<what>[^?.!,\n]{1,60})[?.! ]{0,3}",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    r"(?:who|whose|what|which|when|where|how|why|is|are|was|were|am|do|does|did|can|could|will|"
    r"would|should|may|must|has|have|had|i|we|he|she|it|they|tell|give|goodbye|bye)\b",
    re.IGNORECASE,
)
"""What begins a sentence of its own."""
_HEAD = re.compile(
    r"(?P<asks>(?:who|what|which|when|where|how)\b[^?\n]{0,40}?"
    r"(?: (?:is|are|was|were)|['’]s) )"
    r"(?P<what>(?:the|your|their|its|our) [^?\n]{1,80}?)"
    r"(?P<of> (?:of|in|at|for|to|on) [^?\n]{1,80})?$",
    re.IGNORECASE,
)
_DEFINITE = re.compile(r"(?:the|your|their|its|our)\s", re.IGNORECASE)
_OBJECT = re.compile(
    r"\b(of|in|at|for|to|on|with|by|per|from) ([^?,\n]{1,60}?)"
    r"(?=$|[?,]| (?:of|in|at|for|to|on|with|by|per|from|right now|then)\b)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?<=\s)(?:[^\W\d_a-z][\w'’-]*|\d[\w.]*)\b(?!['’]| [^\W_a-z])")
"""A number, or the last word of a name."""
_SUBJECT = re.compile(
    r"\b(?:can|may|must|do|does|did|is|are|was|were) (?:(?:the|an?|your|our|my) )?([^\W\d_a-z]?\w+)"
    r"(?= [a-z])"
)


def fill_in(turn: str, earlier: str) -> tuple[str, ...]:
    """The questions that a turn may be, with what it takes from the last one before it.

    Args:
        turn: What is said now.
        earlier: What was said before it, turns on lines.

    Returns:
        The likeliest reading first; () where the turn is no such one, or nothing was asked.
    """
    short = _ELLIPSIS.fullmatch(turn.strip())
    if short is None or _WHOLE.match(short["what"]):
        return ()
    asked, what = find_last_question(earlier), short["what"].strip()
    if not asked or not 0 < len(what.split()) <= _MOST_WORDS:
        return ()
    found = _fill(asked, short["at"] or "", what)
    return tuple(dict.fromkeys(f"{text}?" for text in found))[:_MOST]


def _fill(asked: str, at: str, what: str) -> Iterator[str]:
    head = _HEAD.search(asked)
    if at:
        # "And for a dog?" stands where "for a cat" stood, or behind it all.
        for place in _OBJECT.finditer(asked):
            if place[1].casefold() == at.casefold():
                yield _put(asked, place.span(2), what)
        yield f"{head['asks']}{head['what']} {at} {what}" if head else f"{asked} {at} {what}"
        return
    if head and _DEFINITE.match(what):
        yield f"{head['asks']}{what}{head['of'] or ''}"
    else:
        bare = _DEFINITE.sub("", what)
        yield from (_put(asked, place.span(), bare) for place in _NAMED.finditer(asked))
        yield from (_put(asked, place.span(1), bare) for place in _SUBJECT.finditer(asked))
    yield from (_put(asked, place.span(2), what) for place in _OBJECT.finditer(asked))


def _put(text: str, place: tuple[int, int], what: str) -> str:
    return text[: place[0]] + what + text[place[1] :]
