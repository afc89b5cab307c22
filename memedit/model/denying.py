"""What a statement says to hold no longer: "Mira no longer follows a vegetarian diet.", "The night
bus has been discontinued.".

Plainly, and of all that an old fact says; else both stay.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from memedit.core.text import find_sentence_starts, find_subject, words_of
from memedit.core.types import Edit
from memedit.model.later import LATER

_NO_LONGER = re.compile(
    r"\b(?:no longer|not any (?:more|longer)|has stopped|have stopped|stopped|has quit|quit)\s+"
    r"(?P<what>[^.;,!?]+)|\b(?:does|do|is|are|has|have)(?: not|n['’]t)\s+(?P<more>[^.;,!?]+?)\s+"
    r"any ?(?:more|longer)\b",
    re.IGNORECASE,
)
_GONE = re.compile(
    r"^(?P<what>[^,;:.!?]+?)\s+(?:no longer (?:exists?|runs?)|(?:is|are) no longer "
    r"(?:available|offered|sold|provided|running)|(?:has|have|is|are|was|were)\s+(?:been\s+)?"
    r"(?:discontinued|cancell?ed|abolished|scrapped|withdrawn|called off|shut down|closed down))"
    r"(?: for good| altogether| completely| as of now| with immediate effect)?[.!]?$",
    re.IGNORECASE | re.MULTILINE,
)
"""A sentence that says of something, and no more, that it is there no longer."""
_ELSE = re.compile(r"\b(?:but|instead|and)\b", re.IGNORECASE)
_SMALL = frozenset(
    "a an the is are was were be been being of in on at by to for from with and or as its his her "
    "their it they he she has have had does do did that this there".split()
)
_STEM = 5
_THERE = frozenset("we us our you offer provi sell sold run exist avail still curre now".split())
"""Stems of words with which a fact says only that something is there."""
_UNSURE = re.compile(r"\b(?:if|unless|until|when|whether|once|in case)\b", re.IGNORECASE)
DOUBTED = re.compile(
    r"\b(?:(?<!the )true(?! to\b)|false|untrue|rumou?rs?|sa(?:y|ys|id)|(?<!to )tells?|"
    r"(?<!unless )told|claim(?:s|ed)?|thinks?|thought|believes?|heard|perhaps|maybe|possibly|"
    r"probably|allegedly|in case(?! of))\b|\?\W*$",
    re.IGNORECASE,
)
"""In a sentence that may not say that something is so. One that goes on behind its question answers
it: "Who leads the choir? Marta does.", no more than that."""
_ANOTHER = re.compile(r"['’]s\b|\s+(?:for|of|in|at|with|on|by|from)\b")
"""What makes of a subject another one: "Acme's branch", "Acme in Lyon"."""
_PART = re.compile(r"[,;:]|\b(?:and|but)\b")
_OVER = re.compile(
    r"\b(?:no longer|any ?more|any longer|never again|(?:has|have|is|are|was|were) (?:now |all )?"
    r"(?:been )?(?:discontinued|cancell?ed|abolished|scrapped|withdrawn|dropped|removed|dissolved|"
    r"called off|shut down|closed down|left|gone|retired|resigned|stopped|ceased|quit|ended|off|"
    r"expired|stepped down|moved out|sold out|over)|(?:left|quit|stopped|resigned|retired) )\b",
    re.IGNORECASE,
)
_ON = re.compile(r"\b(?:but|instead|now|from|since|and|so|only|until)\b|[;:]|\d", re.IGNORECASE)
"""Where a sentence may go on to what is in its place."""


def ends(new: Edit, old: Edit, *, surely: bool) -> bool:
    """Whether a statement says that an old fact holds no longer: plainly, all of its words.

    Args:
        surely: Not in a sentence that may not say so, or says it of a later time.
    """
    if not new.is_statement:
        return False
    if is_gone(new, old, alone=True):
        return True
    for match in _NO_LONGER.finditer(new.prompt):
        if surely and _is_doubtful(new.prompt, match.start()):
            continue
        denied = _stem_words(_ELSE.split(match["what"] or match["more"])[0])
        said = _stem_words(old.target_new or "") or _stem_words(_cut_after_subject(old, new))
        if denied and said and said <= denied | _stem_words(old.subject or "") and denied & said:
            return denied <= _stem_words(old.statement) and _is_of(old, new.prompt[: match.start()])
    return False


def says_only_end(text: str) -> bool:
    """Whether a statement says that something is over, and not what is in its place. Two such
    statements about the same agree: "Ada has left the board.", "The board no longer includes
    Ada."."""
    return _OVER.search(text) is not None and _ON.search(text) is None


def _is_doubtful(text: str, at: int) -> bool:
    """Whether the sentence at a place may not say that something is so, as of now."""
    starts = [*find_sentence_starts(text), len(text)]
    n = bisect_right(starts, at)
    sentence = text[starts[n - 1] : starts[n]]
    return bool(DOUBTED.search(sentence) or LATER.search(sentence))


def is_gone(new: Edit, old: Edit, *, alone: bool) -> bool:
    """Whether a statement says that what an old fact names is there no longer.

    Args:
        alone: Only of a fact that says of it no more than that it is there. What cost 30 euros
            cost 30 euros, though it is sold no longer.
    """
    found = _GONE.search(new.prompt) if new.is_statement else None
    if found is None or _UNSURE.search(found["what"]):
        return False
    gone, said = _stem_words(found["what"]), _stem_words(old.statement)
    return bool(gone) and gone <= said and (not alone or said - gone <= _THERE)


def _is_of(old: Edit, before: str) -> bool:
    """Whether the words before "no longer" are about what an old fact is about, and sure."""
    if _UNSURE.search(before):
        return False
    subject = old.subject or old.prompt.split()[0]
    start, end = find_subject(before, subject)
    if end == 0:
        return True  # named behind it
    if name_goes_on(before, start, end) or _stem_words(" ".join(before[:start].split()[-1:])):
        return False
    last = _PART.split(before[end:])[-1]
    return _ANOTHER.match(before, end) is None and _stem_words(last) <= _stem_words(old.statement)


def _cut_after_subject(old: Edit, new: Edit) -> str:
    """A statement without the words that name what both are about: those that the new one has."""
    subject = _stem_words(old.subject or new.subject or new.prompt.split()[0])
    return " ".join(word for word in words_of(old.statement) if not _stem_words(word) & subject)


def _stem_words(text: str) -> set[str]:
    # Plural and endings do not count: "offers" and "offered" are one.
    return {word.rstrip("s")[:_STEM] for word in words_of(text) if word not in _SMALL}


def name_goes_on(text: str, start: int, end: int) -> bool:
    """Whether a name goes on beside where it stands: "Acme Robotics" is not Acme."""
    before, after = text[:start].split(), text[end:].split()
    return (len(before) > 1 and before[-1][:1].isupper()) or (
        bool(after) and after[0][:1].isupper()
    )
