"""Words by which a sentence says what may not hold yet, or not for long."""

from __future__ import annotations

import re

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b"
)
_DAY = (
    rf"(?:next|tomorrow|{_MONTH}|\d\d?\.?\s+(?:of\s+)?{_MONTH}|"
    r"\d\d?(?:st|nd|rd|th)\b(?! of (?:the|each|every) month)|"
    r"\d\d?[./]\d|(?:19|20|21)\d\d\b|(?:first|start|beginning|middle|end)\s+of|further notice|"
    r"easter|christmas|new year|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b"
    r"(?!\s(?:mornings|afternoons|evenings|nights)\b))"
)
"""No hours, and no day of every week or month: "until 8 pm", "on Tuesdays", "on Friday nights"."""
_PLACE = r"(?!\s(?:the|an?|our|my|your|line|front|bay|room|\d+)\b)"
"""What stands in the hall stands in for nobody."""
LATER = re.compile(
    r"\b(?:from|as of|as from|starting|beginning|effective|until|till|by|after|on)\s+"
    rf"(?:(?:in|on|with|from|early|late|mid)\s+)?(?:the\s+)?{_DAY}|"
    r"\bnext\s+(?:week|month|year|quarter|season|term|summer|winter|spring|autumn|time)\b|"
    r"\b(?:(?<!\ba )(?<!the )(?<!your )(?<!you )will|won['’]t|shall|might|plans? to(?=\s[a-z])|"
    r"going to|about to|tomorrow|temporarily|for now|for the (?:time being|moment)|while|"
    rf"in (?:the|\w{{1,20}}['’]s) absence|(?:stand|fill)(?:s|ing)? in\b{_PLACE}|interim|acting|"
    r"covers? for|covering for|"
    r"this (?:week|weekend|month|year|season|summer|winter|spring|"
    r"autumn)|tonight)\b|(?<!you)['’]ll\b|(?<!as )\bsoon\b|(?<!as of )(?<!from )\btoday\b",
    re.IGNORECASE,
)
"""In what may not hold yet, or not for long, if no date says it. "You will find us in Elm Street"
is so now."""
_DATE = rf"(?:{_MONTH}|\d\d?(?:st|nd|rd|th)\b|(?:mid|early|late)\W{{1,2}}{_MONTH})"
_NUMBERED = r"(?:\d\d?\.?\s+)?"
_FROM_TO = re.compile(
    rf"\bfrom\s+(?:the\s+)?{_NUMBERED}{_DATE}(?:\s+\d\d?)?\s*"
    rf"(?:to|until|till|through|–|-)\s*(?:the\s+)?{_NUMBERED}{_DATE}",
    re.IGNORECASE,
)
"""The two ends of a season, which comes every year."""
_DAY_OF = re.compile(
    r"(?:on|by|until|till)\s+(?:(?:the|in|early|late|mid)\s+)*"
    rf"(?:(?:start|beginning|middle|end)\s+of\s+)?(?:\d|{_DATE})",
    re.IGNORECASE,
)
"""A day by which, or up to which, something is to be done."""
_HAS_DAY = re.compile(
    rf"\b(?:on|by|until|till|after|to|is|are|due|starts?|ends?|clos\w+)\s+(?:the\s+)?"
    rf"(?:(?:start|beginning|middle|end)\s+of\s+)?{_NUMBERED}{_DATE}",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"\b(?:closed|shut|away|off|out|suspended|unavailable|leave|holidays?|vacation) (?:up )?"
    r"(?:until|till)\b",
    re.IGNORECASE,
)


def holds_later(new: str, old: str) -> bool:
    """Whether what a statement says may not hold yet, or not for long.

    Where the older one gives a day, too, the day is what it is about: "Registration closes on 15
    September.", "You have until the end of September to sign up.".
    """
    plain = _FROM_TO.sub("", new) if _FROM_TO.search(old) else new
    dated = any(each.search(old) for each in (_HAS_DAY, _FROM_TO)) and not _AWAY.search(new)
    said = old.casefold()
    return any(
        found[0].casefold() not in said and not (dated and _DAY_OF.match(plain, found.start()))
        for found in LATER.finditer(plain)
    )
