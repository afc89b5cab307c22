"""Words by which a sentence says what may not hold yet, or not for long."""

from __future__ import annotations

import re

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b"
)
_DAY = (
    rf"(?:next|tomorrow|{_MONTH}|\d\d?\.?\s+(?:of\s+)?{_MONTH}|\d\d?(?:st|nd|rd|th)\b|"
    r"\d\d?[./]\d|\d{4}\b|(?:first|start|beginning|middle|end)\s+of|further notice|easter|"
    r"christmas|new year|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b)"
)
"""No hours, and no day of every week: "until 8 pm", "on Tuesdays"."""
LATER = re.compile(
    r"\b(?:from|as of|as from|starting|beginning|effective|until|till|by|after|on)\s+"
    rf"(?:(?:in|on|with|from|early|late|mid)\s+)?(?:the\s+)?{_DAY}|"
    r"\bnext\s+(?:week|month|year|quarter|season|term|summer|winter|spring|autumn|time)\b|"
    r"\b(?:will|won['’]t|shall|might|plans? to(?=\s[a-z])|going to|about to|tomorrow|temporarily|"
    r"for now|for the (?:time being|moment)|while|in (?:the|\w{1,20}['’]s) absence|stands? in|"
    r"standing in|fills? in|filling in|interim|acting|covers? for|covering for|"
    r"this (?:week|weekend|month|year|season|summer|winter|spring|"
    r"autumn)|tonight)\b|['’]ll\b|(?<!as )\bsoon\b|(?<!as of )(?<!from )\btoday\b",
    re.IGNORECASE,
)
"""In what may not hold yet, or not for long, if no date says it."""
