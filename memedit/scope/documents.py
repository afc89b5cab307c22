"""A document that is pasted with a request, and asked about, is answered from the document.

"According to the text below, how long is the refund window?" asks what the text says. An edit that
bears on the same question may say otherwise; then the text is right for this request, and the
decision says which edits disagree with it. The words that point at a document are English ones.
"""

from __future__ import annotations

import re
from dataclasses import replace

from memedit.core.types import Decision, Hit

_WORDS = 8
"""Words beside the question, and beside what points at a document, from which there is one."""
_THING = (
    r"text|passage|document|article|paragraph|excerpt|e-?mail|mail|letter|message|contract|report|"
    r"transcript|page|note|notes|story|snippet|quote|context|log|code|file|table|review"
)
_QUOTE = re.compile(
    r"(?P<intro>[^\"“„`{}]*)"
    r"(?P<quote>\"[^\"]{12,2000}\"|“[^”]{12,2000}”|„[^“”]{12,2000}[“”]|`[^`]{12,2000}`|\{[\s\S]{8,2000}\})"
    r"(?P<rest>[^\"“„`{}]*)"
)
"""One quotation, with words before and behind it."""
_REFERS = re.compile(
    r"\b(?:in|from|per|does|do|did|by|says? in|using|according to)\s+"
    r"(?:(?:the|this|that|these|those|my|our)\s+(?P<words>\w+(?:[ -]\w+){0,2})|this\b|that\b|it\b)",
    re.IGNORECASE,
)
_CHECKS = re.compile(
    r"\b(?:right|correct|true|still|up[ -]to[ -]date|outdated|valid|wrong|accurate|agrees?|"
    r"match(?:es)?|should|change)\b",
    re.IGNORECASE,
)
"""Whoever asks whether a quotation is right wants to know what is in force."""
_KIND = re.compile(rf"\b(?:{_THING})\b", re.IGNORECASE)
_POINTS = re.compile(
    rf"\b(?:according to|based on|from|in|per|as stated in|does|do|using|summari[sz]e|translate)\s+"
    rf"(?:only\s+)?(?:the|this|that|these|my|following|attached|above|below|given|provided)\s+"
    rf"(?:\w+\s+)?(?:{_THING})\b"
    rf"|\b(?:following|above|attached|given|provided|pasted|quoted|this)\s+(?:{_THING})\b"
    rf"|\b(?:{_THING})\s+(?:above|below|says?|states?|mentions?)\b",
    re.IGNORECASE,
)

_SURELY = re.compile(
    r"\b(?:according to|based on|as stated in|using|following|attached|above|below|given|provided|"
    r"pasted|quoted|says?|states?|mentions?)\b",
    re.IGNORECASE,
)
"""What points at a text that is there, and not at a letter that somebody got."""
_ASKS = re.compile(
    r"\?|(?:^|[.!:,;\n] ?|\b(?:please|pls|then|and)\s)(?:summari[sz]e|translate|answer|extract|"
    r"list|tell|find|explain|give|say|write|quote|according|based|using|from|in|per|as)\b",
    re.IGNORECASE,
)
_OWN = re.compile(r"\b(?:i|my|me)\b", re.IGNORECASE)
"""In what its writer tells of himself."""
_APART = re.compile(rf"\n|[\"“”„`]|\b(?:{_THING})\b[^.:?!]{{0,40}}:\s", re.IGNORECASE)
"""In what holds more than its writer's own sentences."""
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+|:\s")


def heed(query: str, decision: Decision) -> Decision:
    """The decision, without the edits that disagree with a document which ``query`` asks about.

    Args:
        query: What the scope was asked, document included.
        decision: What it said.
    """
    if not decision.bearing:
        return decision
    turn = str(query)[getattr(query, "last", 0) :]
    if quote := find_asked_quote(turn):
        apart = tuple(hit for hit in decision.bearing if _says_otherwise(quote, hit, turn))
    elif _points_at_text(query):
        apart = tuple(hit for hit in decision.bearing if _disagrees(hit, query))
    else:
        return decision
    if not apart:
        return decision
    return replace(
        decision,
        hits=tuple(hit for hit in decision.hits if hit not in apart),
        informs=tuple(hit for hit in decision.informs if hit not in apart),
        disagrees=apart,
    )


def _points_at_text(query: str) -> bool:
    """Whether a request points at a text, and asks something of it: "Nothing moves on my page. How
    often does that page get new numbers?" tells of one that is not there."""
    found = _POINTS.search(query)
    if found is None or not _ASKS.search(query):
        return False
    told = _OWN.search(query) and not _APART.search(query.strip())
    return not told or _SURELY.search(found[0]) is not None


def find_asked_quote(turn: str) -> str:
    """The quotation in a turn that is asked what stands in it; "" where there is none.

    It is asked where the question behind it refers to what it was introduced as: "From an old
    invoice: "…". What does the invoice charge?".
    """
    found = _QUOTE.fullmatch(turn.strip())
    if found is None or "?" not in found["rest"] or _CHECKS.search(found["rest"]):
        return ""
    introduced = set(re.findall(r"\w{4,}", found["intro"].casefold()))
    for refers in _REFERS.finditer(found["rest"]):
        words = refers["words"]
        if words is None:
            refers_to_it = refers[0].casefold().startswith("according")
        else:
            named = introduced & set(re.findall(r"\w+", words.casefold()))
            refers_to_it = bool(named) or _KIND.search(words) is not None
        if refers_to_it:
            return found["quote"]
    return ""


def _says_otherwise(quote: str, hit: Hit, turn: str) -> bool:
    """Whether a quotation is about what an edit is about, and does not say what the edit says."""
    edit = hit.record.edit
    said = (edit.target_new or edit.prompt).strip().casefold()
    return said not in quote.casefold() and (_names(turn, hit) or _names(quote, hit))


def _disagrees(hit: Hit, query: str) -> bool:
    """Whether a document stands beside the question that does not say what the edit says."""
    edit = hit.record.edit
    sentences = [s.strip() for s in _SENTENCES.split(query)]
    body = " ".join(s for s in sentences if not s.endswith("?") and not _POINTS.search(s))
    if len(body.split()) < _WORDS or not _names(body, hit):
        return False
    said = edit.target_new or edit.prompt
    return said.strip().casefold() not in query.casefold()


def _names(text: str, hit: Hit) -> bool:
    """Whether a text is about what the edit is about: its subject, or most of its own words."""
    edit = hit.record.edit
    if edit.subject is not None:
        return edit.subject.casefold() in text.casefold()
    own = set(re.findall(r"\w{4,}", edit.prompt.casefold()))
    return len(own & set(re.findall(r"\w{4,}", text.casefold()))) * 2 >= len(own) > 0
