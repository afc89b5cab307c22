"""The same question in another shape: what is free has no price, and what has a price may be asked
whether it is free.

"How much is breakfast?" is answered by "Breakfast is included.", "Is breakfast included?" by
"Breakfast costs 12 euros.", "When do you close?" by "We are open until 6 pm.".
"""

from __future__ import annotations

import re

from memedit.core.opendays import DayAsked

_THING = (
    r"(?:a |an |your )?(?!(?:it|this|that|they|these|there)\b)"
    r"(?P<what>[\w'’-]+(?: [\w'’-]+){0,5}?)"
)
_PRICE = re.compile(
    rf"(?:how much (?:is|are|does|do|will)|what (?:does|do|is the (?:price|cost) (?:of|for)|"
    rf"(?:is|are) the (?:charges?|fees?) for)|how expensive (?:is|are)|what do (?:i|you|we|guests|"
    rf"customers) (?:have to )?pay for|how much do (?:i|you|we|guests|customers) pay for) {_THING}"
    r"(?: cost| be)?\s?\?*$",
    re.IGNORECASE,
)
_FREE = re.compile(
    rf"(?:(?:is|are) (?:there )?{_THING}(?: free(?: of charge)?|"
    rf" included(?: in the (?:price|rate))?| extra|(?<=fee)|(?<=charge)|(?<=deposit))|"
    rf"(?:does|do) {_THING.replace('what', 'other')} cost (?:extra|anything)|"
    rf"do (?:i|we|you) (?:have|need) to pay (?:extra )?for "
    rf"{_THING.replace('what', 'third')})\s?\?*$",
    re.IGNORECASE,
)
_OPEN = re.compile(
    rf"how long (?P<be>is|are) {_THING} open(?P<rest>(?: [\w'’]+){{0,4}})\s?\?*$", re.I
)
_WHEN = (
    r"(?:(?:on |at (?:the )?|over (?:the )?|this |next )?(?:(?:mon|tues|wednes|thurs|fri|satur|sun)"
    r"days?|weekends?|weekdays?|(?:bank |public )?holidays?|easter|christmas(?: (?:day|eve))?|"
    r"new year['’]?s (?:day|eve)|tomorrow|tonight)(?: (?:morning|afternoon|evening|night)s?)?)"
)
_CLOSES = re.compile(
    rf"(?:when|(?:at )?what time) (?P<do>does|do) {_THING} (?:close|shut)"
    rf"(?P<rest>(?: {_WHEN})?)\s?\?*$",
    re.I,
)
_LONGEST = 160
"""Characters of a question that is read."""
_FEES = ("fee", "charge", "deposit", "surcharge")


def find_hours_of(question: str) -> str:
    """What a question asks the opening hours of, where it is read in another shape; ""."""
    text = " ".join(question.split())
    if asked := DayAsked.of(text):
        return asked.thing
    found = _CLOSES.match(text) if len(text) <= _LONGEST else None
    return found["what"] if found else ""


def reshape(question: str) -> tuple[str, ...]:
    """Other shapes of a question; () of most."""
    text = " ".join(question.split())
    if len(text) > _LONGEST:
        return ()
    if found := _PRICE.match(text):
        what = found["what"]
        be = "Are" if what.endswith("s") else "Is"
        named = what.removeprefix("the ")
        fee = (f"Is there a {named}?",) if what.endswith(_FEES) else ()
        return (*fee, f"{be} {what} free?", f"{be} {what} included?")
    if found := _FREE.match(text):
        what = found["what"] or found["other"] or found["third"]
        return (f"What is the {what}?" if what.endswith(_FEES) else f"What does {what} cost?",)
    if found := _OPEN.match(text):
        return (f"Until when {found['be']} {found['what']} open{found['rest']}?",)
    if found := _CLOSES.match(text):
        be = "is" if found["do"].lower() == "does" else "are"
        return (f"Until when {be} {found['what']} open{found['rest']}?",)
    asked = DayAsked.of(text)
    return () if asked is None else (asked.openly,)
