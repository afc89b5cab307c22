"""Whether somebody asks if a value is still so: "Membership still comes to 54 a month, I suppose?".

What is said of a fact in other words than its own is told by where the value stands: behind
"still", or behind what equates it with what the fact is about. A word that the
fact does not have makes it another thing, of which nothing is said: a student's membership is none.
"""

from __future__ import annotations

import re

from memedit.editors.prompting.wording import SMALL, fold_words, form_of, stem_of

_LINKS = (
    r"(?:is|are|costs?|comes? to|stays?(?: at)?|remains?|charges?|stands at|closes?|opens?|starts?|"
    r"ends?)"
)
_MARKS = r"(?:(?:at|on|for|the|an?|only|just|about|around|in|called|by) )*(?:[€£$] ?)?$"
_STILL = re.compile(rf"\bstill (?:{_LINKS} )?{_MARKS}")
"""What stands right before the value."""
_LINKED = re.compile(rf"\b(?:{_LINKS}|(?:it|that|this|price|cost|fee)['’]s) {_MARKS}")
_UNIT = (
    r"(?: ?(?:%|percent|euros?|pounds?|dollars?|quid|pence|p|bucks|[ap]\.?m\.?|days?|hours?|"
    r"minutes?|weeks?|months?|years?))?"
)
_STILL_BEHIND = re.compile(rf"{_UNIT}(?: (?:an?|per) \w+)? still$")
_TAG = re.compile(
    r"[\s,;:–—-]*\b(?:right|correct|true|yes|yeah|eh|inn?it|(?:isn|ain|don|doesn|aren)['’]?t "
    r"(?:it|that|he|she|they)|i (?:suppose|guess|assume|take it|think))$"
)
_APART = frozenset(
    "both each two three four together all total other another elsewhere there over half double"
    " twice my his her their mine children kids friend next door nearby where enough late ok"
    " okay fine allowed possible valid accepted open used use using paid pay bought buy bring"
    " brought told said says".split()
)
"""Words of what is said of another thing, of several, or of what somebody did."""
_FILLING = SMALL | frozenset(
    "still you your yours u i we us our so ok hi hello hey well please per then now euro euros"
    " pound pounds dollar dollars quid pence percent p come comes suppose guess assume right"
    " correct yeah yes cost costs price charge charges do does come lot guys folks people"
    " send".split()
)
OPENING = re.compile(
    r"^(?:(?:hi|hello|hey|ok|sorry|just (?:checking|wondering|to check)|quick question)"
    r"(?: there| all| team)?[\s,:;–—-]+)+"
)
"""What a question may begin with, and asks nothing."""
_LET_PASS = re.compile(
    r"\b(?:the|an?) \w+ (?=(?:that |which )?(?:you|they)\b(?! ?(?:is|are)\b))|"
    r"\bto (?:stay|be|come|go|get|have|stop|join|use|hire|rent|book)\b"
)
"""What says no more than the fact does: the box that you send, a night to stay."""
_VALUE_FIRST = re.compile(r"(?:is|are)\s+$")
_STILL_IS = re.compile(r" still (?:the|your|our) ")
_SUBJECT_ENDS = re.compile(r" (?:of|for|in|on|at|to|by|is|are|costs?|has)\b")


def asks_whether_still(asked: str, value: str, fact: str) -> bool:
    """Whether a question asks of what a fact is about if a value is so, or still so.

    Args:
        asked: The question, folded, without its mark.
        value: The value, folded: what the fact had before.
        fact: What it says now.
    """
    tag = _TAG.search(asked)
    plain = asked[: tag.start()] if tag else asked
    found = _find(plain, value)
    if found is None:
        return False
    before, after = plain[: found.start()], plain[found.end() :]
    own, filling = _tell(fact), _tell(" ".join(_FILLING))
    words = _tell(_LET_PASS.sub("", f"{before} {after}".replace("'s", " is")))
    if not _asks(before, after, words, fact, tag=tag is not None):
        return False
    stems = {stem_of(word) for word in own}
    about = {stem_of(word) for word in own - filling} & {stem_of(word) for word in words}
    if _tell(" ".join(_APART)) & words or not about:
        return False
    # "The monthly membership" is paid by the month.
    known = own | filling | {word.removesuffix("ly") for word in own}
    return all(word in known or stem_of(word) in stems for word in words)


def _asks(before: str, after: str, words: set[str], fact: str, *, tag: bool) -> bool:
    """Whether a question asks of a value by where that stands."""
    if _VALUE_FIRST.fullmatch(before) and _STILL_IS.match(after):  # "Is Ann still the head vet?"
        return _tell(_SUBJECT_ENDS.split(fact, maxsplit=1)[0]) - SMALL <= words
    linked = _LINKED.search(before) is not None
    still = _STILL.search(before) or (linked and _STILL_BEHIND.match(after))
    return bool(still or (tag and linked))


def _tell(text: str) -> set[str]:
    return {form_of(word) for word in fold_words(text)}


def _find(plain: str, value: str) -> re.Match[str] | None:
    """Where a value stands, once: as it is, or its number alone."""
    bare = re.sub(r"^[€£$] ?|\.00$", "", value)
    number = re.search(r"\d[\d.,:]*\d|\d", bare)
    # "21 euros" is "21 quid" and "21"; "Netbox 4" is no "4".
    alone = number and re.fullmatch(r"(?:at |by |on )?", bare[: number.start()])
    for each in dict.fromkeys((bare, number[0] if alone and number else bare)):
        spots = list(
            re.finditer(rf"(?<![\w.,:])(?:[€£$] ?)?{re.escape(each)}(?![\w]|[.,:]\d)", plain)
        )
        if len(spots) == 1:
            return spots[0]
    return None
