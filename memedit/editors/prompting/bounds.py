"""Whether an amount keeps a fact's bound: 24 days, where refunds are asked for within 19.

Who asks whether something is still possible, and names one amount of the kind of which the fact
names one bound, is answered by which of both is more. A base of 1.5B is as likely to say yes as no.
Where the fact holds a negation, or the request may be answered by a no that means yes ("too late?",
"do I have to pay?"), it is the base's to judge. English only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memedit.editors.prompting.comparing import Verdict
from memedit.editors.prompting.gaps import find_gap
from memedit.editors.prompting.supposing import Amount, locate_amounts
from memedit.editors.prompting.weighing import compare, fold, pick_alike

_MOST_BEFORE = re.compile(
    r"\b(?:within|up to|at most|max\w*|no (?:more|later|longer) than|until|till|by|clos(?:es?|ing)|"
    r"ends|latest|limit\w*|under|below|younger than|valid for|kept for)\b"
)
_LEAST_BEFORE = re.compile(
    r"\b(?:from|at least|min\w*|not before|older than|more than|over|free of \w+ for|opens?)\b"
)
_NOTICE = re.compile(r"\bnotice\b[^.;]{0,90}$")
_LEAST_BEHIND = re.compile(
    r"^\s*(?:before|prior to|ahead|in advance|beforehand|(?:of )?notice|"
    r"or (?:more|older|above))\b"
)
_ABLE = re.compile(
    r"\b(?:can|could|may|might) (?:i|we|he|she|they|it|you|my|our|a|an|the)\b|"
    r"\b(?:ok|okay|alright|all right|allowed|in time|still|enough|possible|open|fits?|cope|good|"
    r"valid)\b",
    re.IGNORECASE,
)
_TURNED = re.compile(
    r"\b(?:too \w+|miss(?:ed)?|expired?|over(?! the)|have to|need to|must|charge[ds]?|pay|costs?|"
    r"extra|without|refus\w*|forbidden|blown|no longer|not|fine[ds]?|"
    r"(?:more|longer|later|older|heavier|bigger|larger|higher) than|above|beyond|exceed\w*)\b|"
    r"n['’]t\b",
    re.IGNORECASE,
)
"""In what a no may let."""
_PAST = re.compile(r"\b(?:used to|was|were)\b", re.IGNORECASE)
_SPARES = re.compile(
    r"\b(?:no(?! (?:more|later|longer|fewer|less) than\b)|"
    r"not(?! (?:before|later than|more than)\b)|"
    r"never|except\w*|exempt\w*|apart from|unless|closed (?:to|until|till|for|from|between)|"
    r"out of (?:order|use|service)|ban(?:s|ned)?|forbid\w*|prohibit\w*|suspend\w*|unavailable|"
    r"only(?! (?:up to|from|for at least|if at least)\b)|without)\b|n['’]t\b",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    r"\b(?:takes?|lasts?|deliver(?:s|ed|ing)?|delivery(?! (?:logs?|reports?|receipts?)\b)|sent|"
    r"shipped|posted|answered|decided|repair\w*|finished|ready|"
    r"arrives?|wait\w*|refunds are|remind\w*|renew\w*|extend\w*|paused?|expires?|delet\w*|purg\w*|"
    r"remov\w*|given away|los[et]s?|lapses?|unlock\w*|exclu\w*|costs?|price\w*|reimburs\w*|"
    r"pays?|paid|grants?|subsid\w*|includ\w*|need\w*|requir\w*|accompan\w*|consent|approv\w*|sign\w*|"
    r"free(?! of \w+ for\b)|"
    r"discount\w*|fees?|charg\w*|covers?|covered|doors?|begins?|starts?|with an? adult|"
    r"must be (?:with|changed|replaced)|replaced)\b",
    re.IGNORECASE,
)
"""In a fact that tells how long the house takes, what a thing costs, or on which condition."""
_AHEAD = re.compile(
    r"\b(?:up to|at most|from|opens?|max\w*)\b[^.;]{0,40}\d[^.;]{0,16}"
    r"\b(?:ahead|in advance|beforehand)\b|"
    r"\b(?:opens?|from)\b[^.;]{0,40}\d[^.;]{0,16}\b(?:before|prior)\b",
    re.IGNORECASE,
)
"""A window that opens so long before."""
_SENIOR = re.compile(
    r"\byears? old\b|\b(?:i['’]ve|i have|been|worked)\b[^.?!]{0,25}\b(?:here|member|customer)\b|"
    r"\bhow\b|\bi need\b|\b(?:in|lasts?|stay of) (?:an?|\w+) (?:days?|weeks?|months?|years?)\b",
    re.IGNORECASE,
)
"""A length of time that is no time since, or asks for the house's."""
_AWAY = re.compile(
    r"\b(?:away|drive|journey|ride|walk|to get (?:there|to)|it takes|(?:in|after|another) \w+ "
    r"(?:minutes?|hours?))\b",
    re.IGNORECASE,
)
"""In words of who is not there yet: the time that he names is not the one that counts."""
_NEAR, _LONGEST, _FAR = 40, 400, 30
"""Characters; and how many times as much an amount of another thing may be: 5 days, at 18 years."""
_HOURS = 4 * 60
"""Minutes from a bound within which a time of day is surely within the hours that it opens."""


def judge_bound(words: str, fact: str) -> Verdict | None:
    """What a fact's bound says to who asks whether something is possible; None: it is asked
    otherwise, or there is no such bound.

    Args:
        words: A user's, which ask for a yes or a no.
        fact: A statement.
    """
    if max(len(words), len(fact)) > _LONGEST or _TURNED.search(words) or not _ABLE.search(words):
        return None
    gap = find_gap(words, fact)
    if _SPARES.search(fact) or _OTHERWISE.search(fact) or _AHEAD.search(fact):
        return None
    if _SENIOR.search(words) or _AWAY.search(words) or (gap is None and _PAST.search(words)):
        return None
    found = {*_judge_each(fold(words if gap is None else str(gap)), fold(fact))}
    return found.pop() if len(found) == 1 else None


def _judge_each(asked: str, told: str) -> Iterator[Verdict]:
    """What each amount says that both texts have one of."""
    for own, bound in pick_alike(asked, told):
        if own.kind == "percent":
            continue
        far = max(own.size, bound.size) > _FAR * min(own.size, bound.size)
        more = 0 if far else compare(own, bound)
        kind = _find_kind(bound, told)
        # That it opens at 8 tells nothing of the evening.
        wide = own.kind == "clock" and abs(own.size - bound.size) > _HOURS
        if more and kind and not (wide and (more > 0) == (kind == "least")):
            yield "Yes" if (more > 0) == (kind == "least") else "No"


def _find_kind(bound: Amount, told: str) -> str:
    """Whether an amount is the most or the least that a fact allows; "": neither for sure."""
    for amount, (start, end) in locate_amounts(told):
        if amount != bound:
            continue
        if _LEAST_BEHIND.match(told[end:]) or _NOTICE.search(told[:start]):
            return "least"
        before = told[max(0, start - _NEAR) : start]
        most = max((found.end() for found in _MOST_BEFORE.finditer(before)), default=0)
        least = max((found.end() for found in _LEAST_BEFORE.finditer(before)), default=0)
        if most != least:
            return "most" if most > least else "least"
    return ""
