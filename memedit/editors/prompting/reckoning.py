"""Which requests are answered by reckoning with what a fact says, and not with the fact itself.

"The rate is €14 a day" answers "What does a day cost?"; "What do three days come to?" takes a sum.
English ones only.
"""

from __future__ import annotations

import re

from memedit.editors.prompting.wording import spell_speech_digits, write_digits

_AMOUNT = re.compile(
    r"\bhow (?:much|many|long|old|late|far|early|big)\b|= ?how much"
    r"|\bwhat(?:['’]?s| is| are)(?: (?:the|our|my|this|that))? (?:\w+ )?(?:bill|total|sum)\b"
    r"|\bwhat (?:do|does|will|would|must|did) [^.?!\n]*\b(?:pay|cost|owe|come to|add up|make)\b",
    re.IGNORECASE,
)
_ASKED_OPENLY = re.compile(
    r"(?:^|[.?!,;:–-]\s*|\n\s*|\b(?:and|or|but|so|also|then|plus|me|us|know|say|wonder|ask)\s+)"
    r"(?:(?:at|by|until|till|from|to|in|on|for|of|with|up to)\s+)?"
    r"(?:who|whose|what|which|where|why|when|how)\b",
    re.IGNORECASE,
)
"""A question's own word: "a pair whose price is 200 euros" asks nothing."""
_ASKS_AMOUNT = re.compile(
    r"\bwhat(?:['’]?s|\b)[^.?!\n]{0,60}\b(?:costs?|pay|paid|prices?|fees?|charge[ds]?|bill(?:ed)?|owe|"
    r"tax|total|sum|extra|share|percentage|amount|rate|allowance|bonus|refund(?:ed)?|end up|"
    r"come to|(?:set|get|be|claim|give) (?:\w+ ){0,2}back)\b|\b(?:what|which) year\b",
    re.IGNORECASE,
)
"""Other ways to ask for an amount."""
_SUM = re.compile(
    r"\b(?:in total|total|altogether|all in all|together(?! with)|combined|adds? up|comes? to|"
    r"(?<!whole )(?<!full )(?<!entire )sum(?! back\b)|"
    r"difference|end up with|(?:with|after|minus|less) (?:the |my |our |a )?(?:\w+ ){0,2}discount|"
    r"there and back|how (?:many|much) more|"
    r"(?:more|less|longer|older|cheaper|younger|higher|bigger|later|earlier|more expensive) than|"
    r"(?:is|are|have|has|much|many)\b[^.?!\n]{0,30}\b(?:left|remaining)|"
    r"how many\b[^.?!\n]{0,30}\bstill (?:has|have)\b[^.?!\n]{0,20}\bin store)\b",
    re.IGNORECASE,
)
_NO_AMOUNT = re.compile(r"\b(?:who|where|which)\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|fifty|half|"
    r"double|twice|both|dozen|hundred|thousand)\b",
    re.IGNORECASE,
)
_UNITS = "minute|hour|day|night|week|month|year|person|page|item|lesson|kilomet|km|mile|piece|head"
_COUNT = re.compile(
    rf"\b(?!1 )\d+ (?:\w+ )?({_UNITS})(?!\w* (?:until|till|before|ago|old|from now)\b)",
    re.IGNORECASE,
)
_HEADS = re.compile(
    r"\b(?!1 )\d+ (?:of us|people|persons|users|members|colleagues|seats|guests|adults|"
    r"employees)\b",
    re.IGNORECASE,
)
_A_HEAD = re.compile(
    r"\b(?:per|each|every|an?) (?:user|person|head|member|seat|guest|adult|employee)\b",
    re.IGNORECASE,
)
_EACH = re.compile(rf"\b(?:an?|per|each|every)(?: \w+ (?:and|or|per))? ({_UNITS})", re.IGNORECASE)
_OTHER_FORM = re.compile(
    r"[\"“”]|^\s*(?:\(?[a-d][.):]\s)|\b(?:write|draft|compose|list|bullets?|bulleted|mail|e-mail|message|"
    r"newsletter|json|table|code|letter)\b|\(a\)",
    re.IGNORECASE | re.MULTILINE,
)
"""A text to be read or written, or a choice."""
_SEVERAL = re.compile(
    r"\b(?:and|or|both|also|plus|as well|than|vs|versus|compar\w*|differ\w*|earlier|each|every|all|"
    r"everything|overview|whoever|whichever|discount\w*|includ\w*|incl|total|together|other|"
    r"what are|which (?:two|three)|details|news?|changed|if (?:i|we) (?:take|book|order|choose))\b|"
    r"[&+/]|,\s*(?:the )?(?!(?:please|pls|right|correct|thanks|thx|sorry|no|yeah|yes|mate|love)\b)"
    r"\w+\s*(?:\?|$)",
    re.IGNORECASE,
)
"""In what may take more than one fact to answer."""
_PLAIN_SUM = re.compile(
    r"(?:(?:hi|hey|so|and|ok|please)\W+){0,3}(?:(?:what(?:['’]s| is| are| do| does)|how much "
    r"(?:is|are)|calculate|compute|work out|solve|add|multiply|divide|subtract|tell me)\s)?\s*"
    r"(?:\d+(?:[.,]\d+)*(?!\d)|[-+*/×÷x·^=()%]|times|plus|minus|divided by|multiplied by|over|and|"
    r"from|by|to the power of|squared|make|equals?|\s)+(?:please)?[\s?.!]*",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\b(?:is|are) (?:that|this|it|they|these|those) (?:\w+ )?"
    r"(?:more|less|too|over|under|within|above|below|enough)\b",
    re.IGNORECASE,
)
"""In what a yes or a no answers."""
_MOST = 400
"""Characters of a question; more are a ticket, whose numbers are many."""


def is_reckoned(words: str, facts: str, *, asked: bool) -> bool:
    """Whether a sum or a difference is asked for, made of what the facts say.

    Args:
        words: A user's.
        facts: What is told.
        asked: One of the facts is what is asked, as far as the scope sees.
    """
    if len(words) > _MOST or _OTHER_FORM.search(words) or not _NUMBER.search(facts):
        return False
    if _COMPARED.search(words):
        return False
    words = spell_speech_digits(words)
    if _SUM.search(words) or (_AMOUNT.search(words) and has_rate(facts, words)):
        counted = _NUMBER.search(words) and not _NO_AMOUNT.search(words)
        return bool(_AMOUNT.search(words) or counted)
    return not asked and bool(_AMOUNT.search(words) and _NUMBER.search(words))


def may_be_summed(words: str, facts: str) -> bool:
    """Whether what a fact informs of may be a sum, said in other words than :func:`is_reckoned`
    knows: a base that is shown what is one tells.

    Args:
        words: A user's.
        facts: What is told, none of it what is asked.
    """
    if len(words) > _MOST or _OTHER_FORM.search(words) or not _NUMBER.search(facts):
        return False
    words = spell_speech_digits(words)
    asks = _ASKS_AMOUNT.search(words) or _AMOUNT.search(words)
    return bool(asks and _NUMBER.search(words) and not _COMPARED.search(words))


def is_plain_sum(words: str) -> bool:
    """Whether words ask for a sum of numbers and nothing else: no fact has to do with it."""
    numbers = re.findall(r"(?<![\d/])\d+(?![\d/])", words)
    return 1 < len(numbers) and len(words) < 100 and _PLAIN_SUM.fullmatch(words.strip()) is not None


def has_rate(fact: str, words: str) -> bool:
    """Whether words count what a fact tells the amount for one of: "4 days", "35p a day"."""
    counted = {unit.casefold() for unit in _COUNT.findall(write_digits(words))}
    told = {unit.casefold() for unit in _EACH.findall(fact)}
    heads = _HEADS.search(write_digits(words)) and _A_HEAD.search(fact)
    return bool(heads) or not counted.isdisjoint(told)


def asks_once(words: str) -> bool:
    """Whether a result alone answers: one thing is asked, and no way to it."""
    openly = _ASKED_OPENLY.findall(words)
    explained = re.search(
        r"\b(?:explain|step by step|steps|show (?:your|the))\b", words, re.IGNORECASE
    )
    return words.count("?") <= 1 and len(openly) <= 1 and not explained


def asks_for_one(words: str) -> bool:
    """Whether one fact may answer: one thing is asked, in a question and no other form."""
    if len(words) > _MOST or not asks_once(words):
        return False
    return not (has_other_form(words) or _SEVERAL.search(words))


def has_other_form(words: str) -> bool:
    """Whether a text is to be read or written, or an option chosen."""
    return _OTHER_FORM.search(words) is not None


def counts(words: str) -> bool:
    """Whether words ask for a sum, or for how much so many are."""
    return len(words) <= _MOST and bool(
        _SUM.search(words) or (_AMOUNT.search(words) and _NUMBER.search(words))
    )
