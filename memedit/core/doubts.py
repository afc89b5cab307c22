"""Turns that doubt the answer before them: "That can't be right, could you look again?".

Who doubts an answer asks the same question once more, and mostly does not say it again. So such a
turn is read as that question, and as the answer that is doubted: where an edit has replaced what it
says, the edit's own words are nowhere nearer. What asks something of its own is no such turn, in
whatever words it wonders. English only.
"""

from __future__ import annotations

import re

from memedit.core.questions import find_last_question
from memedit.core.text import words_of

_ELSE = r"(?:else|different(?:ly)?|otherwise|another|not the same|shorter|longer|higher|lower)"
_SAYS = r"(?:says?|said|told|tells|shows?|gives|gave|heard|reads?)"
_THAT = r"(?:that|this|it|your (?:answer|reply))"
_DOUBTS = re.compile(
    r"(?<!\bi )(?<!\bwe )(?<!\bto )(?<!\bdo you )(?<!\bthey )(?:"
    r"\b(?:check|look|verify|confirm)\b(?! (?:in|out)\b)[^.?!\n]{0,30}"
    r"\b(?:again|once more|twice)\b|"
    r"\b(?:double|re)[ -]?check\b|\b(?:another|second|closer) look\b|"
    r"\b(?:verify|confirm) (?:that|it)\b)|"
    r"\b(?:you|u|ye) (?:really |quite |very |absolutely |100% |so )?(?:sure|certain|positive)\b"
    r"(?! (?:i|we|that|there|the|you|they)\b)|^(?:really|seriously|sure|for real)\?|"
    rf"\b{_THAT} (?:can['’]?t|cannot|doesn['’]?t|isn['’]?t|is not) (?:be |look |sound |seem )?"
    r"(?:quite )?(?:right|true|correct|up to date)\b(?! (?:for|on) (?:me|us|my|our)\b)|"
    r"\bdon['’]?t think (?:that|this|it)['’]?s? (?:is )?(?:right|true|correct)\b|"
    r"\bis (?:that|this) (?:really |still )?(?:right|true|correct|up to date)\?|"
    r"\bi doubt (?:that|it)\b|\byou(?:['’]?re| are| must be) (?:wrong|mistaken|kidding)\b|"
    r"^(?:wrong|nope|no,? it isn['’]?t)\b|"
    r"\bthat(?:['’]?s| is) (?:wrong|odd|strange|old|incorrect|not (?:what [^.?!\n]{0,40}\b"
    rf"{_SAYS}|right|true|correct))\b|^(?:odd|weird|strange)\s*[.,!:]|"
    r"\b(?:that|this|it)(?:['’]?s| is| was) (?:out of date|outdated|out-of-date)\b|"
    r"\bisn['’]?t (?:that|this|it) (?:(?:from )?(?:the|an) old \w+|outdated|out of date|old)\b|"
    r"(?:^|\b(?:there['’]?s|there is|i (?:can )?find) )no such\b|"
    r"\b(?:it|this|that)(?:['’]?s| has| was|['’]?s been) (?:been )?corrected\b|"
    rf"\b{_SAYS}\b[^.?!\n]{{0,25}}\b(?:some(?:thing|body|one) |sth |smth )?{_ELSE}\b"
    r"(?! (?:colou?r|room|size|kind|card|way|shop|hotel)s?\b)|"
    r"\b(?:wants?|paid|pays) (?:more|less) (?:than that|for (?:hers|his|theirs))\b|"
    rf"\b(?:website|site|sign|leaflet|poster|wife|husband|mate|friend|mum|dad|letter)\b[^.?!\n]{{0,30}}"
    rf"\b{_SAYS} (?:its |it['’]s |it is )?[€£$]?\d|"
    r"\b(?:has|had|got|is|there['’]?s) (?:an?other|a different) (?:\w+ )?"
    r"(?:time|numbers?|day|date|price|figure|amount|sum|rate|value|answer|one|story)\b|"
    r"\bsays no, |\bcrossed (?:it |that )?out\b|\bisn['’]?t (?:he|she) (?:retired|gone)\b|"
    r"\b(?:he|she)(?:['’]?s| has) (?:retired|left)\b|\bsays? they['’]?(?:ve| have) moved\b|"
    r"\b(?:typed|entered|tried|dialled|rang)\b[^?]{0,60}\b(?:refused|rejected|nobody|dead)\b|"
    r"\b(?:number|address|code) (?:doesn['’]?t work|is not in service|is dead)\b|"
    r"\bi don['’]?t believe\b|"
    r"\bthat (?:seems|sounds|looks) (?:odd|wrong|off|too \w+|a bit \w+)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\?|\b(?:who|whose|what|whats|which|when|where|why|how|tell|give|show|list|write|name|need|"
    r"want|can|could|please|pls)\b",
    re.IGNORECASE,
)
_OWN_ACT = re.compile(
    r"\b(?:can|could|may|must|should|do|shall) (?:i|we)\b|"
    r"\b(?:and|also),? (?:who|what|where|when|how)\b|\byou (?:have|sell|offer)\b",
    re.IGNORECASE,
)
"""In a question of what the user wants to do, or a further one."""
_GENERAL = frozenset(
    "who whom whose what whats which when where how many much long till until from to by on in"
    " at of for so and or but then now is are was were be been do does did can could would will"
    " should it its that this they them he she his her their there one ones you your u i we me"
    " my us please"
    " pls a an the right really actually currently nowadays these days today exact exactly correct"
    " current real true amount number name answer time day date price hours hrs called heads stand"
    " have has hm hmm not more any case give tell let know say says said sure look check up again"
    " about something door sign website thanks thank isn isnt aren arent doesn cant can't isn't"
    " that's thats what's it's s t"
    .split()
)  # fmt: skip
"""Words with which a question is asked once more, in no words of its own."""
_BREAK = re.compile(r"(?<=[.?!])\s+(?=\D)|\n")
_STEM = 4
_MOST_NEW, _MOST_SAID, _LEAST_WORDS = 1, 5, 4
"""New words that a question of such a turn may have; sentences of the answer that are read, and
their words."""
_MOST, _MOST_BEFORE = 400, 1_200
"""Characters of such a turn, and of what was said before it that is read."""


def read_doubted(turn: str, earlier: str) -> tuple[str, ...]:
    """What a turn asks once more: the question before it, and the sentences of the answer that it
    got; () where it doubts nothing, or asks something new.

    Args:
        turn: What is said now.
        earlier: What was said before it, turns on lines.
    """
    lines = [line for line in earlier[-_MOST_BEFORE:].split("\n") if line.strip()]
    if not lines or not doubts(turn, earlier):
        return ()
    at = next((n for n in range(len(lines) - 2, -1, -1) if _find_question(lines[n])), -1)
    if at < 0:
        at = len(lines) - 2
    question = (_find_question(lines[at]) or lines[at].strip()) if at >= 0 else ""
    said = [text for line in lines[at + 1 :] for text in _split(line)]
    kept = [t for t in said if len(words_of(t)) >= _LEAST_WORDS and "?" not in t and not doubts(t)]
    return tuple(dict.fromkeys(text for text in (question, *kept[-_MOST_SAID:]) if text))


def find_doubted(said: str) -> str:
    """The question that a user last put and did not only doubt; "" where there is none.

    Args:
        said: The user's own earlier words, turns on lines.
    """
    lines = [line for line in said[-_MOST_BEFORE:].split("\n") if line.strip()]
    own = next((line for line in reversed(lines) if not doubts(line)), "")
    return _find_question(own)


def asks_again(query: str) -> bool:
    """Whether the last turn of a conversation doubts what was answered before it."""
    last = getattr(query, "last", 0)
    return bool(last) and bool(read_doubted(str(query)[last:].strip(), str(query)[:last]))


def doubts(turn: str, earlier: str = "") -> bool:
    """Whether a turn doubts what was answered, and asks for nothing but the right answer.

    Args:
        turn: A user's.
        earlier: What was said before it: its words are none of the turn's own.
    """
    turn = turn.strip()
    if len(turn) > _MOST or not _DOUBTS.search(turn):
        return False
    known = {word.casefold()[:_STEM] for word in words_of(earlier[-_MOST_BEFORE:])}
    return all(
        _count_new(sentence, known) <= _MOST_NEW for sentence in _split(turn) if _asks(sentence)
    )


def _asks(sentence: str) -> bool:
    """Whether a sentence asks, or may: one that ends as a statement does so by its beginning."""
    ends = sentence.endswith((".", "!"))
    return (_ASKS.match if ends else _ASKS.search)(sentence) is not None


def _count_new(sentence: str, known: set[str]) -> int:
    """The words of a question that neither ask in general, nor doubt, nor were said before."""
    left = _DOUBTS.sub(" ", sentence)
    new = {word.casefold() for word in words_of(left)} - _GENERAL
    return sum(word[:_STEM] not in known for word in new) + (_OWN_ACT.search(left) is not None)


def _find_question(line: str) -> str:
    asked = find_last_question(line)
    return "" if asked and doubts(f"{asked}?") else asked


def _split(text: str) -> list[str]:
    # What is typed in haste begins its sentences small.
    return [part.strip() for part in _BREAK.split(text) if part.strip()]
