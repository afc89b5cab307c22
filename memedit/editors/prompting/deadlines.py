"""Deadlines on a day of the week: "until Tuesday at 9 pm", and it is Wednesday.

A base of 1.5B does not see which of two days comes first. English ones only.
"""

from __future__ import annotations

import re

from memedit.core.days import WEEKDAY, WEEKDAYS
from memedit.editors.prompting.comparing import Verdict

_DEADLINE = re.compile(
    rf"\b(?:until|till|by|before|no later than)\s+(?:(?P<day>{WEEKDAY})\b|"
    rf"\d[\w.:]*(?:\s[ap]\.?m\.?)?\s+on\s+(?P<on>{WEEKDAY})\b)",
    re.IGNORECASE,
)
_TODAY = re.compile(
    rf"\b(?:it(?:['’]?s| is)|today(?:['’]?s| is)|now)\s+(?:already\s+|only\s+|just\s+)?"
    rf"(?P<day>{WEEKDAY})\b",
    re.IGNORECASE,
)
_DAY = re.compile(rf"\b(?:{WEEKDAY})s?\b", re.IGNORECASE)
_IN_TIME = re.compile(
    r"\b(?:in time|not too late|still (?:time|possible)|(?:can|could|may) (?:i|we|one) still|"
    r"(?:i|we) (?:can|could|may) still|still (?:can|could))\b",
    re.IGNORECASE,
)
_TOO_LATE = re.compile(r"(?<!not )\btoo late\b|\b(?:i|we)(?:['’]ve)? miss(?:ed)?\b", re.IGNORECASE)
_AHEAD, _OVER = 4, 3
"""Days of a week up to which a deadline is to come, or is over: on Saturday Monday's is to come."""


def judge_deadline(words: str, fact: str) -> Verdict | None:
    """What a fact's deadline says to who asks on a day of the week whether it is still time; None:
    it is asked otherwise, or both are the same day.

    Args:
        words: A user's, which ask for a yes or a no.
        fact: A statement, which the words ask.
    """
    found, today = _DEADLINE.search(fact), _TODAY.search(words)
    if found is None or today is None or any(len(_DAY.findall(t)) != 1 for t in (words, fact)):
        return None
    late = _TOO_LATE.search(words) is not None
    if late == (_IN_TIME.search(words) is not None):
        return None
    last, now = (WEEKDAYS[day.casefold()] for day in (found["day"] or found["on"], today["day"]))
    if last == now or not -_OVER <= last - now <= _AHEAD:
        return None
    return "Yes" if (now > last) == late else "No"
