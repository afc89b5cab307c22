"""Where a subject stands in a text."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from typing import cast

CLOSING = " .?!:,;…。？！："

MASK = "it"
"""Stands for the subject in a masked prompt or query."""
# Thai, Lao, Burmese, Khmer, Chinese, Japanese, Korean: spaces do not set off a name there, so each
# character counts as a word.
_NO_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# Accents, vowel signs and points that stand within a word and are no letters to \w.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0966-\u0dff\u200c\u200d"
# C++ and C# are words, too.
WORD = re.compile(rf"[{_NO_SPACES}]|(?:(?![{_NO_SPACES}_])[\w{_MARKS}])+[+#]*")
_POSSESSIVE = re.compile(r"(?<=\w)['’ʼ＇][sS]\b")
# "The Who", "The Band": the article is a part of the name.
_KEEP_THE = frozenset("who what it one end all that this there us we they band week".split())
_SPACES = re.compile(r"\s*")
_OPENING = re.compile(r"\s*[\"'“‘«(\[¿¡]*")
_END = re.compile(r"\n+|(?<![.!?…])[.!?…]+[\"'”’)\]]*(?=\s+[\"'“‘«(\[¿¡]*\w)|[。！？]+[」』”]*")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st mt sr jr rev hon gen col capt lt sgt maj gov sen rep pres fr vs etc vol "
    "fig inc ltd co corp dept est approx ca cf "
    "jan feb mar apr jun jul aug sep sept oct nov dec".split()
)


def find_subject(prompt: str, subject: str) -> tuple[int, int]:
    """Where ``subject`` last occurs in ``prompt``, whatever its case; (0, 0) if nowhere."""
    start = prompt.rfind(subject)
    if start >= 0:
        return start, start + len(subject)
    found = list(re.finditer(re.escape(subject), prompt, re.IGNORECASE))
    if found:
        return found[-1].span()
    return _find_folded_span(prompt, subject.casefold())


def _find_folded_span(prompt: str, folded: str) -> tuple[int, int]:
    """Case folding may change lengths (ß, İ): fold character by character and map back."""
    parts = [character.casefold() for character in prompt]
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part))
    found = "".join(parts).rfind(folded)
    if found < 0:
        return 0, 0
    first = bisect_right(starts, found) - 1
    last = bisect_right(starts, found + len(folded) - 1) - 1
    return first, last + 1


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start: int
    end: int


def find_words(text: str) -> list[Word]:
    possessives = {match.start() + 1 for match in _POSSESSIVE.finditer(text)}
    return [
        Word(_fold(match.group()), match.start(), match.end())
        for match in WORD.finditer(text)
        if match.start() not in possessives
    ]


def words_of(text: str) -> list[str]:
    """The words of a text, folded."""
    return [word.text for word in find_words(text)]


def _fold(word: str) -> str:
    # Most words are: Unicode's normal forms would change nothing, and take longer.
    if word.isascii():
        return word.lower()
    folded = unicodedata.normalize("NFKC", word).casefold()
    # Folding may have taken composed letters apart.
    return unicodedata.normalize("NFC", folded)


def subject_key(subject: str) -> str:
    """The words of a subject, folded, without possessive ``'s`` and leading "the".

    A subject without any word (an emoji) is its own key, folded.
    """
    if subject.isascii() and subject.replace(" ", "").isalnum():  # most are: no need to look closer
        words = subject.lower().split()
    else:
        words = [word.text for word in find_words(subject)]
    if len(words) > 1 and words[0] == "the" and (len(words) > 2 or words[1] not in _KEEP_THE):
        del words[0]
    return " ".join(words) or unicodedata.normalize("NFKC", subject).casefold().strip()


def mask(text: str, start: int, end: int) -> str:
    """``text`` with the subject at ``[start, end)`` replaced by :data:`MASK`."""
    return f"{text[:start]}{MASK}{text[end:]}"


def find_sentence_starts(text: str) -> list[int]:
    """Positions at which the sentences of ``text`` begin; the first is 0."""
    starts = [0]
    for match in _END.finditer(text):
        end = match.end()
        if match.group()[0] == "." and not _ends_sentence(text, starts[-1], match.start(), end):
            continue
        if match.group()[0] in "!?…" and _continues_lower(text, end):
            continue
        begin = _skip_spaces(text, end)
        if begin < len(text):
            starts.append(begin)
    return starts


def _ends_sentence(text: str, since: int, dot: int, end: int) -> bool:
    # No abbreviation is longer; to look back without end at every dot would cost the square.
    before = re.search(r"\w+$", text[max(since, dot - 24) : dot])
    word = before.group() if before else ""
    initial = len(word) == 1 and word.isalpha() and word.isupper()
    begin = _skip_spaces(text, end)
    number = word.casefold() == "no" and text[begin : begin + 1].isdigit()
    short = initial or number or word.casefold() in _ABBREVIATIONS
    return not (short or _continues_lower(text, end))


def _continues_lower(text: str, end: int) -> bool:
    begin = cast("re.Match[str]", _OPENING.match(text, end)).end()
    return text[begin : begin + 1].islower()


def _skip_spaces(text: str, end: int) -> int:
    return cast("re.Match[str]", _SPACES.match(text, end)).end()


def normalise(text: str) -> str:
    """Folded case and white space, no closing punctuation."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(folded.casefold().split()).rstrip(CLOSING)
