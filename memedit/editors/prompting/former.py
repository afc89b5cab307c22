"""A value that a fact had before, and that a request still goes by.

"I have the £2.50 for a new card ready, that's the right amount?": a small base reads that a card
costs £4.20, and says yes. Where the request names the former value, the note says that it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from memedit.core.text import normalise
from memedit.core.types import Edit
from memedit.editors.prompting.polar import drop_order, find_sentences
from memedit.editors.prompting.supposing import judge_supposed
from memedit.editors.prompting.wording import SMALL, split_words, write_digits

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_HOUR = re.compile(r"(?<!\d)0(?=\d[:.]\d)")
_CLAUSE = re.compile(
    r"[,;.!?:](?!\d)\s*|\s[-–—]+\s|"
    r"\b(?:since|because|as|now that|given that|so|that['’]s|and|but)\b",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"[\s,;:–—-]*\b(?:right|correct|true|yes|ok|okay|yeah|eh|innit|"
    r"(?:is|was|are|were|does|do|has)n['’]?t (?:it|that|this|he|she|they)|"
    r"(?:is|are|does) (?:it|that|this|he|she) not|i (?:suppose|guess|assume|take it))$"
)
_ABOUT_IT = re.compile(r"\b(?:that|this|it|same|he|she|they)\b|['’]s\b")
_ASKS_IT = re.compile(
    r"(?:so |and |but )*(?:(?:is|isn['’]?t) (?:that|this|it)|(?:that|this|it)(?: is|['’]s)|same)\b"
)
_TURNED = re.compile(
    r"\b(?:changed?|changing|no longer|not|never|different|other|was|were|did|used to|before|"
    r"previous\w*|former\w*|wrong|old|outdated|increase\w*|raised?|more|less|than|if|how|what|who|"
    r"when|where|which|why)\b"
)
"""In a sentence that does not simply ask whether the value is so."""
_MOST, _LONGEST = 600, 60
"""Characters of a request, and of a value."""


def find_former(words: str, edit: Edit, known: Iterable[str]) -> str:
    """The former value of an edit that words go by; "": they name none, or the new one too.

    Args:
        words: A user's.
        edit: What is told.
        known: Values that it had before.
    """
    if edit.target_new is None or len(words) > _MOST:
        return ""
    asked, new = _fold(words), _tell(edit.target_new)
    if _names(asked, new):
        return ""
    values = (value.strip() for value in known if 0 < len(value.strip()) <= _LONGEST)
    return next((value for value in values if _names(asked, _tell(value) - new)), "")


def find_supposed(words: str, fact: str) -> str:
    """The amount that a part of some words takes a fact to say, where it says another one; ""."""
    if len(words) > _MOST:
        return ""
    for part in _CLAUSE.split(words):
        if part and judge_supposed(f"{part.strip()}, right?", fact) == "No":
            found = re.search(r"[€£$]? ?\d[\d.,:]*(?: ?(?:%|[^\W\d_]+))?", write_digits(part))
            return found[0].strip() if found else ""
    return ""


def confirms(words: str, former: str) -> bool:
    """Whether words ask for no more than that a value that they name is so: "That's right?"."""
    sentences = find_sentences(drop_order(words).casefold())
    last = sentences[-1].rstrip(" ?.!") if sentences else ""
    plain = _TAG.sub("", last)
    part = next((each for each in reversed(_CLAUSE.split(plain)) if each.strip()), "")
    if _TURNED.search(last if _ABOUT_IT.search(part) else plain):
        return False
    if plain == last and not (sentences and sentences[-1].endswith("?")):
        return False
    named = _names(_fold(last), _tell(former))
    if plain != last:
        return not part.strip() or bool(named or _ABOUT_IT.search(part))
    return bool(_ASKS_IT.match(last))


def _tell(value: str) -> frozenset[str]:
    """What tells a value from others: its numbers, else its last name, else all of it."""
    plain = write_digits(value.casefold())
    if numbers := _NUMBER.findall(plain):
        told = (number.replace(",", "").removesuffix(".00") for number in numbers)
        return frozenset(_HOUR.sub("", number) for number in told)
    names = [word for word in split_words(value) if word[:1].isupper()]
    if names:
        return frozenset({names[-1].casefold()})
    words = [word for word in split_words(normalise(value)) if word not in SMALL]
    return frozenset({" ".join(words)} if words else ())


def _fold(words: str) -> str:
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", write_digits(words.casefold()))
    return " ".join(_HOUR.sub("", plain).split())


def _names(asked: str, value: frozenset[str]) -> bool:
    return bool(value) and all(
        re.search(rf"(?<![\w.,:])(?:[€£$] ?)?{re.escape(each)}(?:\.00)?(?![\w]|[.,:]\d)", asked)
        for each in value
    )
