"""Which way a request counts from the day or time that it names, by how long a fact says it is.

"It takes 5 days" counts on from the 3rd on which somebody orders, and back from the 24th by which
somebody needs it; of what is booked "9 days before arrival" nothing comes out of the day on which
it was booked. Where nobody can tell, no way is better than the wrong one. English only.
"""

from __future__ import annotations

import re

from memedit.core.days import MONTH
from memedit.editors.prompting.clocks import Span
from memedit.editors.prompting.wording import SMALL, fold_words, form_of

_MONTH = re.compile(
    rf"\b(?:in|of|from|until|till|to|on) (?:early |late )?(?:{MONTH})\b", re.IGNORECASE
)
_WHEN = (
    r"\b(?:when|what time|(?:what|which) (?:day|date|month|year)|latest|last day|"
    r"how (?:late|early|soon))"
)
_BREAK = re.compile(
    r"[?!;]|[.,:](?!\d)|\s[–—-]+\s|\b(?:and|but|so|if|when|what|which|until when|by when)\b",
    re.IGNORECASE,
)
_OTHER_DAY = re.compile(
    r"\b(?:yesterday|tomorrow|overnight|fortnight|noon|midday|midnight|"
    r"(?:last|next) (?:night|week|month|year|mon|tues|wednes|thurs|fri|satur|sun)\w*)\b|"
    r"\d(?:st|nd|rd|th)\b|\b\d\d?[/.]\d\d?\b|\b\d{4}-\d\d-\d\d\b|"
    r"\b\d\d? ?(?:[-–/]|to|or|and|until) ?(?:the )?$",
    re.IGNORECASE,
)
"""Another day or time than the one read."""
_NTH = re.compile(r"\b(?:second|third|fourth|fifth)\b", re.IGNORECASE)
_RENEWED = re.compile(r"\b(?:renewed|extended)\b", re.IGNORECASE)
_NOW = re.compile(r"\b(?:today|now|currently|already|born)\b|\bit['’]?s (?:the )?$", re.IGNORECASE)
_PAST = re.compile(
    r"\b(?:ate|was|were|had|got|went|took|came|made|paid|bought|sent|"
    r"(?!married|scheduled|planned|need)\w{2,}ed)\b",
    re.IGNORECASE,
)
"""In what is over, and nothing is to be done before it."""
_ASKING = re.compile(r"\W*(?:who|is|are|do|does|can|will|may)\b", re.IGNORECASE)
_ITSELF = re.compile(
    rf"{_WHEN}(?:['’]?s| is| are) (?:the |my |our |your )?(?P<of>\w+)\W*$",
    re.IGNORECASE | re.MULTILINE,
)
_AFTER = re.compile(r"\b(?:after|later)\b", re.IGNORECASE)
_TODAY = re.compile(r"\b(?:today|now)\b", re.IGNORECASE)
_LAST = re.compile(
    r"\b(?:by|before|until|till|to|for|after)(?: the| about| around)?"
    r"(?: (?:mon|tues|wednes|thurs|fri|satur|sun)day,?)? $",
    re.IGNORECASE,
)
_WISHED = re.compile(
    r"\b(?:want\w*|wanna|need\w*|must|should|(?:has|have|had|got|gotta)(?: to)? be|would like|"
    r"['’]d like|hope|hoping|planning|aim\w*|supposed|deadline|in time)\b",
    re.IGNORECASE,
)
"""In the clause of a moment at which something is to be so."""
_ENDS = re.compile(
    r"\b(?:ends?|ended|finish\w*|expires?|expired|runs? out|over|done|ready|back|home|there|due|"
    r"arrive|lands?|gets? (?:in|here|there)|closes?|shuts?)\b",
    re.IGNORECASE,
)
_COUNTS_ON = re.compile(r"\b(?:within|after|following|from|of|kept)\b", re.IGNORECASE)
_WAS = re.compile(
    rf"{_WHEN} (?:did|was|were|had)\b(?! (?:it|this|that|they) (?:due|over))", re.IGNORECASE
)
_OWN_START = re.compile(
    rf"{_WHEN}\b(?:(?!\bif\b)[^.?!,]){{0,40}}\b(?:i|we|to) (?:\w+ ){{0,3}}?(?:order|start|begin|"
    r"borrow|post|send (?!it back)|ship|book|buy|apply|leave|set (?:off|out)|go|put|take|switch|"
    r"turn|heat|plug|catch|get up)\b",
    re.IGNORECASE,
)
_MUST = re.compile(
    rf"{_WHEN}\b[^.?!]{{0,30}}\b(?:must|should|have to|has to|needs? to)\b", re.IGNORECASE
)
_DEADLINE = re.compile(
    r"\b(?:within|due|payable|lent|loan\w*|lend\w*|borrow\w*|rent\w*|hire\w*|after|free|kept|valid|"
    r"allowed|no longer than)\b",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\b(?:(?:from|since|as of) (?:when|what|which)|first day|the earliest|how (?:early|soon))\b",
    re.IGNORECASE,
)
_WAITS = re.compile(
    r"\b(?:after|at least|from|age|wait\w*|takes?|deliver\w*|minimum)\b", re.IGNORECASE
)
_VERBS = re.compile(
    r"\b(?:start|begin|open|close|leave|depart|board|break|interval|land|end|over|finish|done|"
    r"arrive|ready)(?:s|es)?\b",
    re.IGNORECASE,
)
_OUTCOMES = frozenset("land end ends over fini done arri read".split())
_EVENT = re.compile(
    r"\b(?:festival|course|camp|conference|fair|shift|tour|workshop|exhibition|sale|trip|retreat|"
    r"event|tournament|market|cruise|sprint|stay\w*|concert|training|session|class|seminar|show|"
    r"package|holiday|programme|program|internship|tent|regatta|strike|hackathon|closure|fast|"
    r"trial|lasts?|consecutive|counting|in a row|includ\w+)s?\b",
    re.IGNORECASE,
)
"""What lasts three days from the 20th is over on the 22nd."""
_WITHIN = re.compile(r"\bwithin \d+ (?:days?|weeks?|months?) (?:of|after|from)\b", re.IGNORECASE)
_NO_COUNT = re.compile(
    r"\b(?:been|lived|ago|experience|business|founded|cancellation)\b", re.IGNORECASE
)
_EVERY = re.compile(r"\bevery\b", re.IGNORECASE)
_NEXT = re.compile(r"\b(?:next|again|another)\b", re.IGNORECASE)
_BORN, _AGE = (
    re.compile(r"\b(?:born|birthday)\b", re.IGNORECASE),
    re.compile(r"\b(?:age|birth\w*)\b", re.IGNORECASE),
)
_WINDOW = re.compile(
    r"\b(?:booked|bookable|reserved|ordered)\b.*\b(?:up to|no more than|at most|maximum)\b|"
    r"\bno (?:sooner|earlier) than\b|\bnot (?:sooner|earlier)\b|\bearliest\b",
    re.IGNORECASE,
)
"""What can be done no sooner than so long ahead."""
_SOONEST = re.compile(
    r"\b(?:earliest|first|from when|how (?:early|soon)|as of when)\b", re.IGNORECASE
)
_EVENTS = tuple(
    re.compile(rf"\b(?:{each})", re.IGNORECASE)
    for each in (
        "bought|buy|purchas|order|book(?!s)|paid|pay|sign",
        "deliver|arriv|receiv|receipt|came|got|check(?:ing|ed)?[- ]?in",
        "leav|left|end|expir|mov|cancel|depart|check(?:ing|ed)?[- ]?out",
    )
)
"""What a span may count from, by the beginnings of its words."""
_COUNTING = frozenset("before prior after following ahead".split())
_NO_EVENT = frozenset({"firs", "prev"})
_STEM, _NEAR = 4, 40
"""Letters by which two forms of a word are one; characters before a moment that tell of it."""


def find_way(words: str, moment: tuple[int, int], fact: str, span: Span) -> int:
    """1: on from the moment, -1: back from it, 0: nobody can tell.

    Args:
        words: A user's.
        moment: Where the one moment that they name stands in them.
        fact: What is told.
        span: The one length of time in it.
    """
    clause = _cut_clause(words, moment)
    before = words[max(0, moment[0] - _NEAR) : moment[0]]
    if _names_other(words, moment, clause, fact) or _MONTH.search(fact):
        return 0
    if _ASKING.match(clause) or _is_of_other(clause, fact, span):
        return 0
    if span.ahead:
        return -1 if _goes_back(words, clause, before, fact) else 0
    return 1 if _goes_on(words, clause, before, fact, span) else 0


def asks_for(words: str, fact: str, known: frozenset[str] = frozenset()) -> bool:
    """Whether a fact tells of all that words ask to begin, to end, to open.

    Args:
        words: A user's.
        fact: What is told.
        known: Stems of verbs that may be asked whatever the fact says.
    """
    told = {word[:_STEM] for word in fold_words(fact)}
    found = re.search(_WHEN, words, re.IGNORECASE)
    asked = words[found.start() :] if found else ""
    verbs = {each[0].casefold()[:_STEM] for each in _VERBS.finditer(asked)}
    return verbs - known <= told


def lasts_days(fact: str) -> bool:
    """Whether a fact tells how long an event lasts, whose first day is one of its days, and not how
    long after it something may be done."""
    return _EVENT.search(fact) is not None and not _WITHIN.search(fact)


def _names_other(words: str, moment: tuple[int, int], clause: str, fact: str) -> bool:
    """Whether words name another day or time beside a moment, or another turn of a thing than a
    fact does."""
    rest = (words[: moment[0]], words[moment[1] :])
    today = _TODAY.search(words) and not _TODAY.search(clause)
    if today or _RENEWED.search(clause) or any(map(_OTHER_DAY.search, rest)):
        return True
    told = fact.casefold()
    return bool(_NTH.search(clause)) or any(n.casefold() not in told for n in _NTH.findall(words))


def _goes_back(words: str, clause: str, before: str, fact: str) -> bool:
    if _NOW.search(clause) or _NOW.search(before) or _PAST.search(clause):
        return False
    if not asks_for(words, fact):
        return False
    return not _WINDOW.search(fact) or _SOONEST.search(words) is not None


def _goes_on(words: str, clause: str, before: str, fact: str, span: Span) -> bool:
    if _LAST.search(before) or _WISHED.search(clause) or _WAS.search(words):
        return False
    if _ENDS.search(clause) and not _COUNTS_ON.search(fact):
        return False
    if _OWN_START.search(words) and not _NEXT.search(words):
        return False
    if _MUST.search(words) and not _DEADLINE.search(fact):
        return False
    if _FIRST.search(words) and not _WAITS.search(fact):
        return False
    if _NO_COUNT.search(fact) or (span.unit not in ("minute", "hour") and _EVENT.search(fact)):
        return False
    if _EVERY.search(fact) and not _NEXT.search(words):
        return False
    # An age counts from a birth alone, and nothing else from it.
    if bool(_BORN.search(clause)) != bool(_AGE.search(fact)) or _asks_itself(words, fact, span):
        return False
    return asks_for(words, fact, _OUTCOMES)


def _cut_clause(words: str, moment: tuple[int, int]) -> str:
    """The words around a moment that say one thing with it, and not itself."""
    head = max((found.end() for found in _BREAK.finditer(words, 0, moment[0])), default=0)
    tail = _BREAK.search(words, moment[1])
    end = tail.start() if tail else len(words)
    return f"{words[head : moment[0]]} {words[moment[1] : end]}"


def _asks_itself(words: str, fact: str, span: Span) -> bool:
    """Whether it is asked when that is of which a fact says how long it is: "When is lunch?"."""
    found = None if _AFTER.search(fact) else _ITSELF.search(words)
    return found is not None and _find_stems(found["of"]) <= _find_stems(fact[: span.at[0]])


def _is_of_other(clause: str, fact: str, span: Span) -> bool:
    """Whether the clause of a moment tells of another thing than the one from which a fact counts:
    of what comes out of it, or of a purchase and not of a delivery."""
    head, tail = fact[: span.at[0]], fact[span.at[1] :]
    front, behind, own = (_find_stems(part) for part in (head, tail, clause))
    counts = span.ahead or re.match(r"\W*(?:after|following|from|of)\b", tail)
    if counts and not span.alone and own & front and not own & behind and behind - _NO_EVENT:
        return True
    said, begins = _find_events(clause), _find_events(tail)
    return bool(begins and said) and begins.isdisjoint(said)


def _find_stems(text: str) -> frozenset[str]:
    words = (form_of(word) for word in fold_words(text) if word not in SMALL | _COUNTING)
    return frozenset(word[:_STEM] for word in words if len(word) > 2)


def _find_events(text: str) -> frozenset[int]:
    return frozenset(n for n, event in enumerate(_EVENTS) if event.search(text))
