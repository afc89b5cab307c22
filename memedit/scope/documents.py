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
_POINTS = re.compile(
    rf"\b(?:according to|based on|from|in|per|as stated in|does|do|using|summari[sz]e|translate)\s+"
    rf"(?:only\s+)?(?:the|this|that|these|my|following|attached|above|below|given|provided)\s+"
    rf"(?:\w+\s+)?(?:{_THING})\b"
    rf"|\b(?:following|above|attached|given|provided|pasted|quoted|this)\s+(?:{_THING})\b"
    rf"|\b(?:{_THING})\s+(?:above|below|says?|states?|mentions?)\b",
    re.IGNORECASE,
)

_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+|:\s")


def heed(query: str, decision: Decision) -> Decision:
    """The decision, without the edits that disagree with a document which ``query`` asks about.

    Args:
        query: What the scope was asked, document included.
        decision: What it said.
    """
    if not decision.bearing or not _POINTS.search(query):
        return decision
    apart = tuple(hit for hit in decision.bearing if _disagrees(hit, query))
    if not apart:
        return decision
    return replace(
        decision,
        hits=tuple(hit for hit in decision.hits if hit not in apart),
        informs=tuple(hit for hit in decision.informs if hit not in apart),
        disagrees=apart,
    )


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
