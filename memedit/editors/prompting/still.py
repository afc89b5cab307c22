"""Whether somebody asks if a value is still so: "Membership still comes to 54 a month, I suppose?".

What is said of a fact in other words than its own is told by where the value stands: behind
"still", or behind what equates it with what the fact is about. A few words that the fact does not
have are let pass; what is said of another thing, or of several, is not.
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
    r"[\s,;:–—-]*\b(?:right|correct|true|yes|yeah|eh|innit|(?:isn|ain|don|doesn|aren)['’]?t "
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
    " correct yeah yes cost costs price charge charges do does".split()
)
_STILL_UNKNOWN, _UNKNOWN = 3, 1
"""Words that the fact does not have, where "still" stands at the value, and where it does not."""


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
    linked = _LINKED.search(before) is not None
    still = _STILL.search(before) or (linked and _STILL_BEHIND.match(after))
    if not still and not (tag and linked):
        return False
    own, filling = _tell(fact), _tell(" ".join(_FILLING))
    words = _tell(f"{before} {after}".replace("'s", " is"))
    about = {stem_of(word) for word in own - filling} & {stem_of(word) for word in words}
    if _tell(" ".join(_APART)) & words or not about:
        return False
    unknown = {word for word in words - own - filling if not word.isdigit()}
    return len(unknown) <= (_STILL_UNKNOWN if still else _UNKNOWN)


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
