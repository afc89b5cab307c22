"""Which requests are to be answered by yes or no.

People ask for one of them in many ways: "Is it …?", "You do have a pool, right?", "£9 a day, yes or
no pls", "can i get there on the shuttle". A request that only looks like it, "Can you tell me …?"
or "May I know who …?", asks for something else. English ones only.
"""

from __future__ import annotations

import re

_PART = re.compile(
    r"(?<=[.!])(?<!\bdr\.)(?<!\bmr\.)(?<!\bms\.)(?<!\bmrs\.)(?<!\bst\.)(?<!\bno\.)(?<!\bvs\.)"
    r"\s+|(?<=[.!?][\"”’'])\s+|(?<=\?)\s*(?![\"”’'])|\n+",
    re.IGNORECASE,
)
"""Between sentences; "Dr. Roth" is in one."""
_NAMED = re.compile(r"\byes\s*(?:/|or|-or-)\s*no\b|\by/n\b", re.IGNORECASE)
_EITHER = re.compile(
    r"\byes\s*(?:/|or|-or-)\s*no\b|\bor (?:not|no|so|more|less|fewer|older|younger|later|earlier|"
    r"over|above|under|longer)\b",
    re.IGNORECASE,
)
"""What is no choice between things."""
_NEGATED = "n['’]?t"
_AUXILIARY = (
    rf"(?:(?:is|are|was|were|does|did|do|has|have|had|should|can|could|will|would|may|must|might)"
    rf"(?:{_NEGATED})?|am|won['’]?t|can['’]?t|shall)"
)
_INVERTED = re.compile(
    rf"(?:^|[,;:–—-]\s+|\b(?:so|and|but|then|ok|hi|hey)\s+){_AUXILIARY}\s+"
    r"(?!(?:ist|sind|war|hat|kann|kostet|macht|muss|soll|für)\b)\w"  # German: "Was ist …?"
)
_BARE = re.compile(
    rf"(?:(?:so|and|but|then|ok|hi|hey)\s+)?(?:{_AUXILIARY}\s+(?:i|we|it|he|she|they|there|u)\b"
    r"|(?:is|are|does|did|can|will)\s+(?:the|a|an|my|our|this|that)\b|(?:do|are|have|did)\s+you\b)"
)
"""How a question without its mark begins: "do the following" is none."""
_TAG = re.compile(r"[\s,–—-](?:right|correct|true|yes|no|ok|okay|allowed|possible|innit|eh)\s*\?$")
_FAVOUR = re.compile(
    r"\b(?:can|could|will|would)\s+(?:you|u)\b"
    r"|\b(?:may|can|could|might)\s+(?:i|we)\s+(?:please\s+)?"
    r"(?:know|ask|(?:have|get|see)\s+(?:the|your|its|his|her|their)\b)"
    r"|\b(?:know|tell|say|sure|remember|idea|ask|explain|check|wonder\w*)\b[^?]*"
    r"\b(?:who|whose|what|when|where|which|why|how)\b"
)
_OPENLY = "(?:who|whose|what|which|where|why|when|how)"
_LEAD = r"(?:\W|\b(?:so|and|but|then|ok|hi|hey|well)\b)*"
_OPEN = re.compile(
    rf"^{_LEAD}(?:(?:in|on|at|by|to|for|from|between|until|since|with|of|about)\s+)?{_OPENLY}\b|[,;:–—-]\s+{_LEAD}{_OPENLY}(?:['’]?s|\s+(?:is|are|was|were|does|do|did|has|"
    r"have|can|should|will|would|much|many|long|often|far|old|late|early))\b"
)
_ORDER = re.compile(
    r"^(?:please\s+|then\s+|and\s+)*(?:write|draft|give|tell|list|show|name|send|translate|summari[sz]e"
    r"|calculate|compute|compose|describe|suggest|recommend)\b"
)


def is_polar(words: str) -> bool:
    """Whether a user's words ask for a yes or a no, whatever stands around the question.

    One that offers a choice ("… or …?") and one that asks for a favour ("Can you …?") do not; nor
    do words that ask for something else beside it, or order it.
    """
    parts = [part.strip().casefold() for part in _PART.split(words) if part.strip()]
    if any(map(_ORDER.match, parts)):
        return False
    if _NAMED.search(words):
        return True
    asked = [part for part in parts if part.endswith("?")]
    if not asked:
        return bool(parts) and _BARE.match(parts[0]) is not None and _is_closed(parts[0])
    return all((_INVERTED.search(part) or _TAG.search(part)) and _is_closed(part) for part in asked)


def _is_closed(question: str) -> bool:
    """Whether a sentence neither offers a choice, nor asks for a favour, nor openly."""
    return not (
        re.search(r"\bor\b", _EITHER.sub("", question))
        or _FAVOUR.search(question)
        or _OPEN.search(question)
    )
